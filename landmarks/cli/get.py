"""`landmarks get`."""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Group, RenderableType
from rich.text import Text

from landmarks.cli.lookup import key_options, read_result
from landmarks.cli.options import REQUIRED_TABLE, output_option, stack_options
from landmarks.cli.result_formats import NAMES
from landmarks.cli.terminal import STATUS_COLOURS, duration, one_line
from landmarks.groups import GROUPS, VISIBLE, FloatArray
from landmarks.result import LandmarkResult, ModelInfo

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
    from landmarks.cli.atomic import atomic_write  # noqa: PLC0415, the same
    from landmarks.cli.result_formats import FORMATS  # noqa: PLC0415, --help needs it not

    content = FORMATS[kind](result)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        with atomic_write(output) as file:
            file.write_bytes(content)
    if kind != "json" and not result.landmarks.person_found:
        reason = f" ({result.error_code})" if result.error_code else ""
        click.echo(one_line(f"no landmarks: {result.status}{reason}"), err=True)


def _show(result: "LandmarkResult", output: Path | None, *, every: bool) -> None:
    from rich.console import Console  # noqa: PLC0415, --json needs none of it

    from landmarks.cli.atomic import atomic_write  # noqa: PLC0415, the same
    from landmarks.cli.get import result_view  # noqa: PLC0415, the same

    view = result_view(result, every=every)
    if output is None:
        Console(highlight=False).print(view)
        return
    with atomic_write(output) as path, path.open("w", encoding="utf-8") as file:
        Console(file=file, highlight=False, width=_VIEW_COLUMNS).print(view)


_LABEL_WIDTH: Final = 12


_NAME_WIDTH: Final = 18


_NUMBER_WIDTH: Final = 10


_TITLES: Final = {
    "pose_landmarks": "Pose",
    "pose_world_landmarks": "Pose in metres",
    "face_landmarks": "Face",
    "left_hand_landmarks": "Left hand",
    "right_hand_landmarks": "Right hand",
}


_METRES: Final = "pose_world_landmarks"


# What a person wants first; of the others there is only how many they are.
_FIRST: Final = frozenset({"pose_landmarks"})


def result_view(result: LandmarkResult, *, every: bool) -> RenderableType:
    """What became of the photograph, and its landmarks.

    Args:
        result: of the photograph.
        every: list all groups landmark by landmark, not only the pose.
    """
    lines = [*_summary(result)]
    if result.landmarks.person_found:
        found = {group.name: array for group, array in result.landmarks.found()}
        for group in GROUPS:
            if every or group.name in _FIRST:
                lines += _listed(result, group.name, found.get(group.name))
        if not every:
            lines += _counted(found)
    return Group(*lines)


def _summary(result: LandmarkResult) -> Iterator[Text]:
    yield Text.assemble((one_line(result.key), "bold"), "  ", (one_line(result.bucket), "dim"))
    score = "" if result.pose_score is None else f"score {result.pose_score:.2f}"
    status = Text(one_line(result.status), STATUS_COLOURS.get(result.status, ""))
    yield _row("status", status, score)
    for label, text in _facts(result):
        if text:
            yield _row(label, Text(one_line(text)))


def _facts(result: LandmarkResult) -> Iterator[tuple[str, str]]:
    yield "reason", ": ".join(filter(None, (result.error_code, result.error_message)))
    yield "image", _image(result)
    yield "box", _box(result)
    yield "processed", _moment(result.processed_at)
    took = result.duration_ms
    yield "took", f"{took.total} ms: fetch {took.fetch}, detect {took.detect}" if took else ""
    yield "model", _model(result.model)
    yield "job", result.job_id or ""
    yield "version", result.version_id or ""


def _image(result: LandmarkResult) -> str:
    image = result.image
    if image is None:
        return ""
    size = f"{image.bytes:,} bytes"
    return size if image.width is None else f"{image.width} x {image.height} {image.format}, {size}"


def _box(result: LandmarkResult) -> str:
    box, image = result.bounding_box, result.image
    if box is None or image is None or not image.width or not image.height:
        return ""
    left, top = box.x * image.width, box.y * image.height
    width, height = box.width * image.width, box.height * image.height
    return f"{width:.0f} x {height:.0f} pixels from ({left:.0f}, {top:.0f})"


def _moment(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC, {duration(datetime.now(UTC) - moment)} ago"


def _model(model: ModelInfo | None) -> str:
    if model is None:
        return ""
    refined = ", refined face" if model.refine_face_landmarks else ""
    return f"MediaPipe {model.mediapipe_version}, complexity {model.model_complexity}{refined}"


def _listed(result: LandmarkResult, group: str, array: FloatArray | None) -> Iterator[Text]:
    yield Text()
    if array is None:
        yield Text.assemble((_TITLES[group], "bold"), "  ", ("not found", "dim"))
        return
    pixels = None if group == _METRES else result.pixels(group)
    places = array[:, :2] if pixels is None else pixels
    decimals = 3 if pixels is None else 1
    yield _heading(group, visible=array.shape[1] > len("xyz"))
    names = NAMES.get(group) or range(len(array))
    for name, (x, y), landmark in zip(names, places.tolist(), array.tolist(), strict=True):
        z, *visibility = landmark[2:]
        numbers = [f"{x:.{decimals}f}", f"{y:.{decimals}f}", f"{z:.3f}"]
        numbers += [f"{value:.2f}" for value in visibility]
        yield _columns(str(name), numbers, "dim" if visibility and visibility[0] < VISIBLE else "")


def _counted(found: Mapping[str, FloatArray]) -> Iterator[Text]:
    yield Text()
    for group, title in _TITLES.items():
        if group not in _FIRST | {_METRES}:
            count = f"{len(found[group])} landmarks" if group in found else "not found"
            yield _row(title.lower(), Text(count))
    yield Text("all of them: --all; for programs: --json, --csv, --npz", "dim")


def _heading(group: str, *, visible: bool) -> Text:
    columns = ["x", "y", "z"] + ["visibility"] * visible
    cells = "".join(f"{column:>{_NUMBER_WIDTH + 2}}" for column in columns)
    return Text.assemble((f"{_TITLES[group]:<{_NAME_WIDTH}}", "bold"), (cells, "dim"))


def _columns(name: str, numbers: list[str], style: str) -> Text:
    cells = "".join(f"{number:>{_NUMBER_WIDTH + 2}}" for number in numbers)
    return Text(f"  {name:<{_NAME_WIDTH - 2}}{cells}", style)


def _row(label: str, value: Text, words: str = "") -> Text:
    row = Text.assemble((f"  {label:<{_LABEL_WIDTH}}", "dim"), value, (f"  {words}", "dim"))
    row.rstrip()
    return row
