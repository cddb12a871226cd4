"""`landmarks local`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from landmarks.cli.options import LOCAL_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmarks.local.samples import Photo
    from landmarks.local.session import LocalFiles, Served

_LOOK_SECONDS: Final = 0.5


_LOOPBACK: Final = ("127.0.0.1", "localhost")


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5000,
    show_default=True,
    metavar="PORT",
    help="Where the services listen; 0 takes a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="The same; 0.0.0.0 lets containers in, and everybody else.",
)
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Photos to upload instead of the samples.",
)
@click.option("--no-worker", is_flag=True, help="Only the services: the worker runs elsewhere.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    default=LOCAL_FOLDER,
    show_default=True,
    help="Where the file `environment` and the worker's log go.",
)
def local(port: int, host: str, images: Path | None, output: Path, *, no_worker: bool) -> None:
    """Run S3, SQS, DynamoDB and the worker here until Ctrl-C.

    Meanwhile other commands work with it by --local, if given in the same folder.

    Nothing is kept: the next start begins with the samples, or the photos of
    --images, in the bucket landmarks-images and with an empty queue.
    """
    # Imported late: --help needs none of it, and the embedded services alone take a second.
    from landmarks.local.run import checked_settings  # noqa: PLC0415
    from landmarks.local.session import LocalFiles, serve  # noqa: PLC0415

    if not no_worker:
        checked_settings()
    place = LocalFiles(output)
    photos = _photos(images, output)
    with serve(photos, place, host=host, port=port, with_worker=not no_worker) as served:
        _describe(served, photos, place, host)
        while True:
            time.sleep(_LOOK_SECONDS)
            if served.worker:
                served.worker.check()


def _photos(images: Path | None, output: Path) -> "Sequence[Photo]":
    from landmarks.local.samples import folder_photos  # noqa: PLC0415, --help needs none of it
    from landmarks.local.session import sample_photos  # noqa: PLC0415, the same

    return folder_photos(images, except_below=output).photos if images else sample_photos()


def _describe(served: "Served", photos: "Sequence[Photo]", place: "LocalFiles", host: str) -> None:
    """Standard output gets the lines for a shell; words for people go to the other."""
    from landmarks.local.session import export_lines  # noqa: PLC0415, --help needs none of it

    click.echo(export_lines(served.variables), nl=False)
    count = f"{len(photos)} photo{'' if len(photos) == 1 else 's'}"
    click.echo(f"{count} in s3://{served.stack.bucket}; Ctrl-C stops everything", err=True)
    if place.folder == LOCAL_FOLDER:
        click.echo("in another shell: landmarks status --local, and so on", err=True)
    click.echo(f"for other tools there: . {place.environment}", err=True)
    if served.worker:
        click.echo(f"the worker's log: {place.log}", err=True)
    if host not in _LOOPBACK:
        click.echo(f"Warning: whoever reaches this machine reaches {host}'s port too", err=True)
