"""Queues by their URL: which region, which name."""

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_sqs import SQSClient

_REGION: Final = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com")


def queue_client(url: str | None, config: "Config | None" = None) -> "SQSClient":
    """A client for the queue at `url`, in its region; else in the environment's."""
    import boto3  # noqa: PLC0415, takes 0.1 s, and whoever asks for a name needs none

    region = _REGION.match(url or "")
    return boto3.client("sqs", region_name=region[1] if region else None, config=config)


def queue_name(url: str) -> str:
    """The last part of a queue's URL."""
    return url.rstrip("/").rpartition("/")[2]
