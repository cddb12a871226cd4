"""`landmarks overlay`: draw landmarks on a photograph."""

from pathlib import Path
from typing import Final

import boto3
import click
from botocore.config import Config

from landmarks.cli.advice import WrongCallError
from landmarks.cli.atomic import atomic_write
from landmarks.cli.lookup import enqueue_command, key_options, read_result
from landmarks.cli.options import REQUIRED_TABLE, output_option, stack_options
from landmarks.drawing.canvas import MAX_SIDE_PIXELS, draw_overlay, save_overlay
from landmarks.errors import LandmarkError, ObjectNotFoundError, TooManyBytesError
from landmarks.photograph import PhotoDecoder, processed_content
from landmarks.result import LandmarkResult

# More than the worker's default MAX_IMAGE_BYTES of 80 MB.
MAX_BYTES: Final = 100_000_000

_TIMEOUT_SECONDS: Final = 300
_CLIENT: Final = Config(connect_timeout=5, read_timeout=20)


class NothingToDrawError(LandmarkError):
    """Raised when a result has no landmarks."""

    code = "NOTHING_TO_DRAW"


class OtherContentError(LandmarkError):
    """Raised when the processed content is no longer in S3."""

    code = "OTHER_CONTENT"


@click.command()
@key_options
@output_option("The PNG to write.", required=True)
@click.option(
    "--image",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw on this file instead of the object in S3.",
)
@click.option("--boxes", is_flag=True, help="Draw a box around each person, with its score.")
@stack_options(REQUIRED_TABLE)
def overlay(
    key: str,
    bucket: str | None,
    output: Path,
    image: Path | None,
    table: str,
    *,
    boxes: bool,
) -> None:
    """Draw a photograph's landmarks on it.

    KEY is the object's key, not URL-encoded, or s3://bucket/key.

    Reads the photograph from S3, up to 100 MB, if it has not changed since it was processed
    (same version or ETag). Writes a PNG whose longer side has 1,280 to 1,600 pixels, or fewer
    for photographs under 320. If several people were found, each has a colour.

    \b
      landmarks overlay photos/a.jpg -o a.png
      landmarks overlay photos/a.jpg -o a.png --image ~/photos/a.jpg

    Exits with 1 if there is no result, no person was found, or the photograph has changed.
    """  # noqa: D301, \b is click's
    if output.suffix.lower() != ".png":
        raise WrongCallError(f"{output}: overlays are PNG files; use a name that ends in .png")
    if image and output.exists() and output.samefile(image):
        raise WrongCallError(f"{output} is the photograph itself; use another name")
    result = read_result(table, key, bucket)
    _require_landmarks(result)
    with PhotoDecoder(MAX_SIDE_PIXELS) as decoder:
        content = _content_of(image, result) if image else _photograph_of(result)
        people = (person.landmarks for person in result.people)
        drawing = draw_overlay(decoder.decode(content), *people, boxes=boxes)
    with atomic_write(output) as path:
        save_overlay(drawing, path, key=result.key)
        size = path.stat().st_size
    width, height = drawing.size
    click.echo(f"{width} x {height} pixels, {size:,} bytes in {output}", err=True)


def _require_landmarks(result: LandmarkResult) -> None:
    if not result.landmarks.person_found:
        reason = ": ".join(filter(None, (result.error_code, result.error_message)))
        outcome = f"{result.status} ({reason})" if reason else result.status
        raise NothingToDrawError(f"nothing to draw for {result.key!r}: {outcome}")


def _content_of(file: Path, result: LandmarkResult) -> bytes:
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise TooManyBytesError(f"{file}: {size} bytes, more than the {MAX_BYTES} allowed")
    content = file.read_bytes()
    if result.image and len(content) != result.image.bytes:
        click.echo(
            f"{file} has {len(content):,} bytes, but the processed photograph had "
            f"{result.image.bytes:,}: the landmarks may not match",
            err=True,
        )
    return content


def _photograph_of(result: LandmarkResult) -> bytes:
    address = f"s3://{result.bucket}/{result.key}"
    try:
        content = processed_content(
            boto3.client("s3", config=_CLIENT),
            result.bucket,
            result.key,
            version_id=result.version_id,
            etag=result.etag,
            max_bytes=MAX_BYTES,
            seconds=_TIMEOUT_SECONDS,
        )
    except ObjectNotFoundError as error:
        version = f", version {result.version_id}" if result.version_id else ""
        raise OtherContentError(
            f"{address}{version} no longer exists: draw on a copy with --image FILE"
        ) from error
    except TooManyBytesError as error:
        raise TooManyBytesError(f"{address}: {error}") from error
    if content is None:
        raise OtherContentError(
            f"{address} has changed since it was processed: enqueue it again with "
            f"{enqueue_command(result.key, result.bucket)}, or draw on a copy with --image FILE"
        )
    return content
