"""`landmarks overlay`."""

from pathlib import Path
from typing import Final

import boto3
import click
from botocore.config import Config
from PIL import Image

from landmarks.cli.advice import WrongCallError
from landmarks.cli.lookup import enqueue_command, key_options, read_result
from landmarks.cli.options import REQUIRED_TABLE, output_option, stack_options
from landmarks.drawing.canvas import draw_overlay
from landmarks.drawing.topology import load_topology
from landmarks.errors import LandmarkError, ObjectNotFoundError, TooManyBytesError
from landmarks.photograph import processed_content
from landmarks.result import LandmarkResult

_SUFFIX: Final = ".png"


@click.command()
@key_options
@output_option("The PNG to write; replaced if it is there.", required=True)
@click.option(
    "--image",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw on this copy, instead of the object in S3.",
)
@stack_options(REQUIRED_TABLE)
def overlay(key: str, bucket: str | None, output: Path, image: Path | None, table: str) -> None:
    """Draw the landmarks of a photograph on it.

    KEY is the object's key as it is, not URL-encoded, or s3://bucket/key.

    The object is fetched from S3 if it is still what was processed, the same version or ETag,
    and has at most 100 MB. The drawing is a PNG of 1280 to 1600 pixels.

    \b
      landmarks overlay photos/a.jpg -o a.png
      landmarks overlay photos/a.jpg -o a.png --image ~/photos/a.jpg

    Ends with 1 if there is no result, nobody was found, or the photograph has changed.
    """  # noqa: D301, \b is click's
    if output.suffix.lower() != _SUFFIX:
        raise WrongCallError(f"{output}: overlays are PNG: name a file that ends in .png")
    if image and output.exists() and output.samefile(image):
        raise WrongCallError(f"{output} is the photograph itself: name another file")
    _draw(read_result(table, key, bucket), image, output)


def _draw(result: "LandmarkResult", image: Path | None, output: Path) -> None:
    from landmarks.cli.atomic import atomic_write  # noqa: PLC0415, the same
    from landmarks.drawing.canvas import save_overlay  # noqa: PLC0415, --help needs none of it

    require_landmarks(result)
    content = content_of(image) if image else photograph_of(result)
    if result.image and len(content) != result.image.bytes:
        click.echo(
            f"{image} has {len(content):,} bytes, and what was processed had "
            f"{result.image.bytes:,}: the drawing may not fit",
            err=True,
        )
    drawing = overlay_of(result, content)
    with atomic_write(output) as path:
        save_overlay(drawing, path, key=result.key)
        size = path.stat().st_size
    width, height = drawing.size
    click.echo(f"{width} x {height} pixels, {size:,} bytes in {output}", err=True)


# The worker's own limit is a setting, and 30 MB if nothing is set.
MAX_BYTES: Final = 100_000_000


_CONNECT_TIMEOUT_SECONDS: Final = 5


_READ_TIMEOUT_SECONDS: Final = 20


_TIMEOUT_SECONDS: Final = 300


class NothingToDrawError(LandmarkError):
    """Raised when a result has no landmarks."""

    code = "NOTHING_TO_DRAW"


class OtherContentError(LandmarkError):
    """Raised when the photograph is not there any more as it was processed."""

    code = "OTHER_CONTENT"


def overlay_of(result: LandmarkResult, content: bytes) -> Image.Image:
    """The photograph with its landmarks.

    Args:
        result: of the photograph.
        content: the file's bytes.

    Raises:
        NothingToDrawError: there are no landmarks; it says why.
        OverlayError: the file can't be read.
    """
    require_landmarks(result)
    return draw_overlay(content, result.landmarks, load_topology())


def require_landmarks(result: LandmarkResult) -> None:
    """Refuse what has nothing to draw.

    Raises:
        NothingToDrawError: there are no landmarks; it says why.
    """
    if not result.landmarks.person_found:
        reason = ": ".join(filter(None, (result.error_code, result.error_message)))
        words = f"{result.status} ({reason})" if reason else result.status
        raise NothingToDrawError(f"nothing to draw for {result.key!r}: {words}")


def photograph_of(result: LandmarkResult) -> bytes:
    """The content that was processed, from S3: the very version, or what still has its ETag.

    Raises:
        OtherContentError: the object is gone, or has another content since.
        TooManyBytesError: it has more than `MAX_BYTES`.
        AccessDeniedError: these credentials may not read it.
        TransientError: S3 fails, or takes too long.
    """
    timeouts = Config(connect_timeout=_CONNECT_TIMEOUT_SECONDS, read_timeout=_READ_TIMEOUT_SECONDS)
    try:
        content = processed_content(
            boto3.client("s3", config=timeouts),
            result.bucket,
            result.key,
            version_id=result.version_id,
            etag=result.etag,
            max_bytes=MAX_BYTES,
            seconds=_TIMEOUT_SECONDS,
        )
    except ObjectNotFoundError as error:
        raise _gone(result) from error
    except TooManyBytesError as error:
        raise TooManyBytesError(f"{_address(result)}: {error}") from error
    if content is None:
        raise _changed(result)
    return content


def content_of(file: Path) -> bytes:
    """A photograph on this machine.

    Raises:
        TooManyBytesError: it has more than `MAX_BYTES`.
        OSError: it can't be read.
    """
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise TooManyBytesError(f"{file}: {size} bytes, and at most {MAX_BYTES} are allowed")
    return file.read_bytes()


def _changed(result: LandmarkResult) -> OtherContentError:
    return OtherContentError(
        f"{_address(result)} has changed since it was processed: have it processed again: "
        f"{enqueue_command(result.key, result.bucket)}; or draw on a copy: --image FILE"
    )


def _gone(result: LandmarkResult) -> OtherContentError:
    version = f", version {result.version_id}" if result.version_id else ""
    return OtherContentError(
        f"{_address(result)}{version} is not there any more: draw on a copy: --image FILE"
    )


def _address(result: LandmarkResult) -> str:
    return f"s3://{result.bucket}/{result.key}"
