"""`landmarks get`: one result, as text or in a file format."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from landmarks.cli.atomic import atomic_write
from landmarks.cli.lookup import key_options, read_result
from landmarks.cli.options import REQUIRED_TABLE, output_option, stack_options
from landmarks.cli.result_formats import FORMATS, NAMES, WORLD
from landmarks.cli.result_table import found_groups
from landmarks.cli.terminal import (
    STATUS_COLOURS,
    duration,
    one_line,
    output_console,
    utc,
    whole_line,
)
from landmarks.groups import VISIBLE, FloatArray
from landmarks.person import Person
from landmarks.result import LandmarkResult

_BY_SUFFIX: Final = {".json": "json", ".csv": "csv", ".npz": "npz"}

_LABEL_WIDTH: Final = 12  # characters
_NAME_WIDTH: Final = 18
_NUMBER_WIDTH: Final = 12
_PERSON_WIDTH: Final = 8
_SCORE_WIDTH: Final = 11
_BOX_WIDTH: Final = 38

_TITLES: Final = {
    "pose_landmarks": "Pose",
    "pose_world_landmarks": "Pose in metres",
    "face_landmarks": "Face",
    "left_hand_landmarks": "Left hand",
    "right_hand_landmarks": "Right hand",
}
# Without --all, only the pose is listed and these are counted.
_COUNTED: Final = ("face_landmarks", "left_hand_landmarks", "right_hand_landmarks")


@click.command()
@key_options
@click.option(
    "--all", "every", is_flag=True, help="List all landmarks, including world, hands and face."
)
@click.option(
    "--json", "kind", flag_value="json", help="Output everything stored, as one JSON object."
)
@click.option("--csv", "kind", flag_value="csv", help="Output one row per landmark.")
@click.option(
    "--npz", "kind", flag_value="npz", help="Output a NumPy archive with one array per group."
)
@click.option(
    "--person",
    type=click.IntRange(0),
    metavar="NUMBER",
    help="Only this person; 0 is the first. With MAX_PEOPLE, there may be others.",
)
@output_option("Write to FILE; .json, .csv and .npz select the format.")
@stack_options(REQUIRED_TABLE)
def get(
    key: str,
    bucket: str | None,
    kind: str | None,
    person: int | None,
    output: Path | None,
    table: str,
    *,
    every: bool,
) -> None:
    """Show the result of one photograph.

    KEY is the object's key, not URL-encoded, or s3://bucket/key.

    By default, prints the outcome and the pose, with x and y in pixels of the upright image,
    z as a fraction of its width, and low-visibility landmarks dimmed. --json, --csv and --npz
    write for programs, to standard output or to FILE.
    Several people get one row each; --person or --all lists their landmarks.

    \b
      landmarks get photos/a.jpg
      landmarks get photos/a.jpg -o a.csv
      landmarks get s3://my-photos/a.jpg --json | jq .status

    Exits with 0 if there is a result, even a `failed` one, and 1 if there is none.
    """  # noqa: D301, \b is click's
    kind = kind or (_BY_SUFFIX.get(output.suffix.lower()) if output else None)
    if kind == "npz" and output is None and sys.stdout.isatty():
        raise click.UsageError("--npz is binary: use -o FILE, or redirect the output")
    result = read_result(table, key, bucket)
    if person is not None:
        result = _alone(result, person)
    if kind:
        _write(result, kind, output)
    else:
        _show(result, output, every=every)


def _alone(result: LandmarkResult, number: int) -> LandmarkResult:
    try:
        return result.of_person(number)
    except IndexError as error:
        numbers = ", ".join(str(person.number) for person in result.people)
        words = f"no such person: choose from {numbers}" if numbers else "nobody was found"
        raise click.ClickException(f"{one_line(result.key)}: {words}") from error


def _write(result: LandmarkResult, kind: str, output: Path | None) -> None:
    content = FORMATS[kind](result)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        with atomic_write(output) as file:
            file.write_bytes(content)
    if kind != "json" and not result.landmarks.person_found:
        reason = f" ({result.error_code})" if result.error_code else ""
        click.echo(one_line(f"no landmarks: {result.status}{reason}"), err=True)


def _show(result: LandmarkResult, output: Path | None, *, every: bool) -> None:
    lines = Text("\n").join(listing(result, every=every))
    if output is None:
        output_console().print(lines)
        return
    with atomic_write(output) as path, path.open("w", encoding="utf-8") as file:
        file.write(f"{lines.plain}\n")


def listing(result: LandmarkResult, *, every: bool) -> Iterator[Text]:
    """Return a result as text: the outcome and the pose, or all groups of landmarks.

    Several people have a row each, or with `every` all groups of each.

    A result without a bucket is from a local file that was just processed.
    """
    title = Text(whole_line(result.key), "bold")
    yield title.append(f"  {whole_line(result.bucket)}", "not bold dim") if result.bucket else title
    status = Text(whole_line(result.status), STATUS_COLOURS.get(result.status, ""))
    several = bool(result.people[1:])
    if not several:
        status.append(_scores(result), "dim")
    yield _row("status", status)
    for label, text in _facts(result):
        if text:
            yield _row(label, Text(whole_line(text)))
    if several and not every:
        yield from _people(result)
        return
    for person in result.people:
        if several:
            yield from _person(person)
        for group in _TITLES if every else ("pose_landmarks",):
            yield from _landmarks(person, group)
        if not every:
            yield from _counts(person)


def _scores(person: LandmarkResult | Person) -> str:
    scores = {"score": person.pose_score, "box score": person.person_score}
    return "".join(f"  {name} {score:.2f}" for name, score in scores.items() if score is not None)


def _people(result: LandmarkResult) -> Iterator[Text]:
    """Return a row for each person, and how to see more."""
    yield Text()
    headings = [f"{heading:>{_SCORE_WIDTH}}" for heading in ("score", "box score")]
    yield Text.assemble(
        (f"{'Person':<{_PERSON_WIDTH}}", "bold"),
        ("".join(headings), "dim"),
        (f"  {'box':<{_BOX_WIDTH}}found", "dim"),
    )
    for person in result.people:
        scores = (person.pose_score, person.person_score)
        cells = ["-" if score is None else f"{score:.2f}" for score in scores]
        numbers = "".join(f"{cell:>{_SCORE_WIDTH}}" for cell in cells)
        box = f"{_box(person) or '-':<{_BOX_WIDTH}}"
        yield Text(f"  {person.number:<{_PERSON_WIDTH - 2}}{numbers}  {box}{found_groups(person)}")
    one = "--person NUMBER or " if result.bucket else ""
    yield Text()
    yield Text(f"use {one}--all to list landmarks, or --json, --csv, --npz for programs", "dim")


def _person(person: Person) -> Iterator[Text]:
    """Return a heading."""
    yield Text()
    yield Text.assemble((f"Person {person.number}", "bold"), (_scores(person), "dim"))
    if box := _box(person):
        yield _row("box", Text(box))


def _facts(result: LandmarkResult) -> Iterator[tuple[str, str]]:
    yield "reason", ": ".join(filter(None, (result.error_code, result.error_message)))
    if image := result.image:
        size = f"{image.width} x {image.height} {image.format}, " if image.width else ""
        truncated = ", truncated" if image.truncated else ""
        yield "image", f"{size}{image.bytes:,} bytes{truncated}"
    if result.people_count is not None:
        yield "people", f"{result.people_count}"
    if not result.people[1:]:  # several people have a row each
        yield "box", _box(result)
    if (moment := result.processed_at) and result.bucket:
        ago = duration(datetime.now(UTC) - moment)
        yield "processed", f"{utc(moment)}, {ago} ago"
    if took := result.duration_ms:
        yield "took", f"{took.total} ms: fetch {took.fetch}, detect {took.detect}"
    if model := result.model:
        refined = ", refined face" if model.refine_face_landmarks else ""
        version, complexity = model.mediapipe_version, model.model_complexity
        processor = "" if model.architecture == "x86_64" else f", on {model.architecture}"
        yield "model", f"MediaPipe {version}, complexity {complexity}{refined}{processor}"
    yield "job", result.job_id or ""
    yield "version", result.version_id or ""


def _box(person: LandmarkResult | Person) -> str:
    box, image = person.bounding_box, person.image
    if box is None or image is None or not image.width or not image.height:
        return ""
    left, top = box.x * image.width, box.y * image.height
    width, height = box.width * image.width, box.height * image.height
    return f"{width:.0f} x {height:.0f} pixels from ({left:.0f}, {top:.0f})"


def _landmarks(person: Person, group: str) -> Iterator[Text]:
    array: FloatArray | None = getattr(person.landmarks, group)
    yield Text()
    if array is None:
        yield Text.assemble((_TITLES[group], "bold"), "  ", ("not found", "dim"))
        return
    pixels = None if group == WORLD else person.pixels(group)
    places, decimals = (array[:, :2], 3) if pixels is None else (pixels, 1)
    names = NAMES.get(group) or range(len(array))
    headings = ["x", "y", "z", "visibility"][: array.shape[1]]
    yield Text.assemble((f"{_TITLES[group]:<{_NAME_WIDTH}}", "bold"), (_cells(headings), "dim"))
    for name, (x, y), landmark in zip(names, places.tolist(), array.tolist(), strict=True):
        z, *visibility = landmark[2:]
        numbers = [f"{x:.{decimals}f}", f"{y:.{decimals}f}", f"{z:.3f}"]
        numbers += [f"{value:.2f}" for value in visibility]
        style = "dim" if visibility and visibility[0] < VISIBLE else ""
        yield Text(f"  {name:<{_NAME_WIDTH - 2}}{_cells(numbers)}", style)


def _cells(texts: list[str]) -> str:
    return "".join(f"{text:>{_NUMBER_WIDTH}}" for text in texts)


def _counts(person: Person) -> Iterator[Text]:
    found = {group.name: len(array) for group, array in person.landmarks.found()}
    yield Text()
    for group in _COUNTED:
        count = f"{found[group]} landmarks" if group in found else "not found"
        yield _row(_TITLES[group].lower(), Text(count))
    yield Text("use --all to list them, or --json, --csv, --npz for programs", "dim")


def _row(label: str, value: Text) -> Text:
    return Text.assemble((f"  {label:<{_LABEL_WIDTH}}", "dim"), value)
