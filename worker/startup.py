"""Starts the worker, in an order that makes the start fast.

The detectors are launched first and warm up while this process imports everything else.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from landmarks.errors import ServiceError, SettingsError
from worker.detector.confinement import hide_from_children
from worker.detector.launch import child_options, launch
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.handler import Handler

_NO_REGION: Final = "no AWS region: set AWS_REGION, for example to eu-central-1"
_NO_CREDENTIALS: Final = (
    "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give it an IAM role"
)


def start_worker(settings: Settings) -> "Handler":
    """Start the worker, with logs on standard output.

    Raises:
        SettingsError: the model is not installed, or AWS's settings are missing or wrong.
        ServiceError: the credentials can't be retrieved.
    """
    hide_from_children()
    options = child_options(settings)
    children = [launch(options) for _ in range(settings.detectors)]
    # Otherwise OpenBLAS, which nothing here uses, starts one thread per processor, and these spin
    # while the detectors start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _choose_region()
    from worker.composition import build_handler  # noqa: PLC0415
    from worker.detector.pool import DetectorPool  # noqa: PLC0415
    from worker.telemetry import configure_logging  # noqa: PLC0415

    configure_logging()
    with _aws_settings():
        handler = build_handler(settings, DetectorPool(options, settings.detectors, children))
    handler.connect(settings.image_bucket)
    return handler


def _choose_region() -> None:
    """Let AWS_REGION name the region, as with other SDKs. boto3 only reads AWS_DEFAULT_REGION.

    An empty value, as templates pass it, means not set.
    """
    region = os.environ.pop("AWS_DEFAULT_REGION", "") or os.environ.get("AWS_REGION")
    if region:
        os.environ["AWS_DEFAULT_REGION"] = region


@contextmanager
def _aws_settings() -> Iterator[None]:
    """Say in one line why AWS's clients can't be created. That does not depend on AWS itself."""
    from botocore import exceptions  # noqa: PLC0415, slow

    try:
        yield
    except exceptions.NoRegionError:
        raise SettingsError(_NO_REGION) from None
    except exceptions.NoCredentialsError:
        raise SettingsError(_NO_CREDENTIALS) from None
    except (exceptions.CredentialRetrievalError, exceptions.MetadataRetrievalError) as error:
        raise ServiceError(f"can't retrieve AWS credentials: {error}") from None
    except exceptions.BotoCoreError as error:
        raise SettingsError(f"AWS settings: {error}") from None
    except ValueError as error:
        if not str(error).startswith("Invalid endpoint: "):
            raise
        raise SettingsError(f"AWS settings: {error} (AWS_ENDPOINT_URL must be a URL)") from None
