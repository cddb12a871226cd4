"""`landmarks get`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from worker.commands.one_result import key_options, read_result
from worker.commands.options import REQUIRED_TABLE, output_option, stack_options
from worker.commands.terminal import one_line

if TYPE_CHECKING:
    from worker.reading import LandmarkResult

_BY_SUFFIX: Final = {".json": "json", ".csv": "csv", ".npz": "npz"}
_VIEW_COLUMNS: Final = 100


@click.command()
@key_options
@click.option("--all", "every", is_flag=True, help="Every landmark: world, hands and face too.")
@click.option("--json", "kind", flag_value="json", help="All that is stored, as one JSON object.")
@click.option("--csv", "kind", flag_value="csv", help="A row a landmark.")
@click.option("--npz", "kind", flag_value="npz", help="NumPy's archive: an array a group.")
@output_option("Write it there; .json, .csv and .npz say which form.")
@stack_options(REQUIRED_TABLE)
def get(
    key: str,
    bucket: str | None,
    kind: str | None,
    output: Path | None,
    table: str,
    *,
    every: bool,
) -> None:
    """Show the result of one photograph.

    KEY is the object's key as it is, not URL-encoded, or s3://bucket/key.

    People see what became of it and where the pose is: x and y in pixels of the upright
    image, z in widths of it, faint what the model only guesses. Programs take --json, --csv
    or --npz, on standard output or as a FILE, which is replaced if it is there.

    \b
      landmarks get photos/a.jpg
      landmarks get photos/a.jpg -o a.csv
      landmarks get s3://my-photos/a.jpg --json | jq .status

    Ends with 0 if there is a result, a `failed` one too; with 1 if there is none.
    """  # noqa: D301, \b is click's
    kind = kind or (_BY_SUFFIX.get(output.suffix.lower()) if output else None)
    if kind == "npz" and output is None and sys.stdout.isatty():
        raise click.UsageError("--npz is nothing for a terminal: name a file by -o, or pipe it")
    result = read_result(table, key, bucket)
    if kind:
        _write(result, kind, output)
    else:
        _show(result, output, every=every)


def _write(result: "LandmarkResult", kind: str, output: Path | None) -> None:
    from worker.operations.result_formats import FORMATS  # noqa: PLC0415, --help needs it not
    from worker.operations.whole_file import whole_file  # noqa: PLC0415, the same

    content = FORMATS[kind](result)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        with whole_file(output) as file:
            file.write_bytes(content)
    if kind != "json" and not result.landmarks.person_found:
        reason = f" ({result.error_code})" if result.error_code else ""
        click.echo(one_line(f"no landmarks: {result.status}{reason}"), err=True)


def _show(result: "LandmarkResult", output: Path | None, *, every: bool) -> None:
    from rich.console import Console  # noqa: PLC0415, --json needs none of it

    from worker.commands.get_view import result_view  # noqa: PLC0415, the same
    from worker.operations.whole_file import whole_file  # noqa: PLC0415, the same

    view = result_view(result, every=every)
    if output is None:
        Console(highlight=False).print(view)
        return
    with whole_file(output) as path, path.open("w", encoding="utf-8") as file:
        Console(file=file, highlight=False, width=_VIEW_COLUMNS).print(view)
