"""`landmarks demo`."""

from pathlib import Path
from typing import Final

import click

_FOLDER: Final = click.Path(file_okay=False, path_type=Path)
_EXISTING_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option(
    "--images",
    type=_EXISTING_FOLDER,
    metavar="FOLDER",
    help="Your own photos, with all folders below, instead of the samples.",
)
@click.option(
    "--output",
    type=_FOLDER,
    metavar="FOLDER",
    default=Path("build/demo"),
    show_default=True,
    help="Where report, overlays, results.json and the worker's log go.",
)
def demo(images: Path | None, output: Path) -> None:
    """Run the worker on this machine, without an AWS account.

    S3, SQS and DynamoDB are embedded and listen on the loopback interface only.
    The worker is the real one: its settings, such as MODEL_COMPLEXITY, are read
    from the environment.
    """
    # Imported late: --help needs none of it, and the embedded services alone take a second.
    from rich.console import Console  # noqa: PLC0415

    from worker.commands.stage_progress import StageProgress  # noqa: PLC0415
    from worker.local.checks import checked_settings  # noqa: PLC0415
    from worker.local.output import DemoFiles  # noqa: PLC0415
    from worker.local.photos import folder_photos, samples  # noqa: PLC0415

    settings, files = checked_settings(), DemoFiles(output)
    assignment = folder_photos(images, except_below=files.overlays) if images else samples()
    with StageProgress(Console(stderr=True)) as progress:
        progress.stage("Starting S3, SQS and DynamoDB")
        from worker.commands.demo_view import print_summary  # noqa: PLC0415
        from worker.local.demo import run_demo  # noqa: PLC0415

        results = run_demo(assignment, files, settings, progress)
    print_summary(Console(), results, files, left_out=assignment.left_out)
    if results.without_result:
        raise click.ClickException(f"not every photo has a result: {files.log} says why")
