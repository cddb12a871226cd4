"""`landmarks overlay`."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from worker.commands.advice import WrongCallError
from worker.commands.one_result import key_options, read_result
from worker.commands.options import REQUIRED_TABLE, output_option, stack_options

if TYPE_CHECKING:
    from worker.reading import LandmarkResult

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
    from worker.drawing.overlay import save_overlay  # noqa: PLC0415, --help needs none of it
    from worker.operations.overlay import (  # noqa: PLC0415, the same
        content_of,
        overlay_of,
        photograph_of,
        require_landmarks,
    )
    from worker.operations.whole_file import whole_file  # noqa: PLC0415, the same

    require_landmarks(result)
    content = content_of(image) if image else photograph_of(result)
    if result.image and len(content) != result.image.bytes:
        click.echo(
            f"{image} has {len(content):,} bytes, and what was processed had "
            f"{result.image.bytes:,}: the drawing may not fit",
            err=True,
        )
    drawing = overlay_of(result, content)
    with whole_file(output) as path:
        save_overlay(drawing, path, key=result.key)
        size = path.stat().st_size
    width, height = drawing.size
    click.echo(f"{width} x {height} pixels, {size:,} bytes in {output}", err=True)
