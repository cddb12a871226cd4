"""`landmarks list`: the results of a folder."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from landmarks.cli.main import landmarks
from landmarks.errors import AccessDeniedError, CorruptImageError, NotAnImageError
from landmarks.item import bind_item
from landmarks.table import Listing
from tests.fakes import Cloud, seen_nobody
from tests.integration.reading.conftest import Save, saving
from worker.model import ModelOptions
from worker.table import ResultsTable

WITHOUT_INDEX = (
    "{} items of the table read, unsorted: there is no index by-prefix "
    "(template parameter PrefixIndex=true)\n"
)


@pytest.fixture
def indexed(cloud: Cloud) -> Cloud:
    """A stack with an indexed table."""
    name = f"{cloud.stack.table}-indexed"
    bind_item(name, for_reading=True).create_table(wait=True)
    return replace(cloud, stack=replace(cloud.stack, table=name))


def fill(cloud: Cloud) -> Save:
    """Store six results in two buckets."""
    save = saving(ResultsTable(cloud.stack.table, ModelOptions()))
    save("new/person.jpg")
    save("new/nobody 1+1.jpg", outcome=seen_nobody())
    save("new/list.txt", outcome=NotAnImageError("no image"))
    save("new/h/short.jpg", outcome=CorruptImageError("cut short"))
    save("newer/person.jpg")
    save("new/person.jpg", "far-away")
    return save


def run(cloud: Cloud, *arguments: str, **environment: str) -> Result:
    """Run the command with the stack's settings."""
    arguments = ("list", *arguments)
    return CliRunner().invoke(landmarks, arguments, env={**cloud.stack.environment, **environment})


def columns(result: Result) -> list[list[str]]:
    """Return the columns of each line, without the time."""
    assert result.exit_code == 0
    return [re.split(" {2,}", line)[1:] for line in result.stdout.splitlines()]


def listed(cloud: Cloud, *arguments: str) -> list[dict[str, Any]]:
    """Return what --json prints."""
    result = run(cloud, *arguments, "--json")
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_folder_is_listed_by_the_index(indexed: Cloud) -> None:
    """Keys are sorted and without the folder. The index has no subfolders, which is said."""
    fill(indexed)

    result = run(indexed, "s3://photos/new/")

    assert columns(result) == [
        ["failed", "NOT_AN_IMAGE", "-", "-", "list.txt"],
        ["not_detected", "-", "-", "96x64", "nobody 1+1.jpg"],
        ["detected", "0.99", "-", "640x480", "person.jpg"],
    ]
    assert result.stderr == "subfolders are not shown; --recursive lists what is in them\n"
    starts = {line.index(line.split("  ")[-1]) for line in result.stdout.splitlines()}
    assert len(starts) == 1
    assert re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC  ", result.stdout)


def test_folder_is_listed_without_an_index(cloud: Cloud) -> None:
    """The lines are unsorted and subfolders last; the number of items read is printed."""
    fill(cloud)

    result = run(cloud, "s3://photos/new/")

    *keys, subfolder = (line[-1] for line in columns(result))
    assert sorted(keys) == ["list.txt", "nobody 1+1.jpg", "person.jpg"]
    assert subfolder == "h/"
    assert result.stderr == WITHOUT_INDEX.format(6)


@pytest.mark.parametrize(
    ("arguments", "folders"),
    [
        (("s3://photos/",), ["new/", "newer/"]),
        (("s3://photos/new*",), ["new/", "newer/"]),
        (("s3://photos/", "--status", "failed"), ["new/"]),
        (("s3://photos/", "--error-code", "TOO_SMALL"), []),
    ],
)
def test_subfolders_with_selected_results_are_shown(
    cloud: Cloud, indexed: Cloud, arguments: tuple[str, ...], folders: list[str]
) -> None:
    """Like `aws s3 ls` does. With the index, all of it is read, which is said."""
    by_index = "index entries read for subfolders: 6\n"
    for table, words in ((indexed, by_index), (cloud, WITHOUT_INDEX.format(6))):
        fill(table)

        result = run(table, *arguments)

        assert [line[-2:] for line in columns(result)] == [["PRE", name] for name in folders]
        assert words in result.stderr
        assert ("nothing found" in result.stderr) == (not folders)


def test_readers_that_may_not_scan_are_told(
    indexed: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ReaderPolicy only allows to query the index."""

    def refuse(_: Listing) -> int:
        raise AccessDeniedError("dynamodb:Scan")

    monkeypatch.setattr(Listing, "find_subfolders", refuse)

    result = run(indexed, "s3://photos")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "dynamodb:Scan on the index is not allowed" in result.stderr


def test_a_name_is_a_folder_or_an_object(indexed: Cloud) -> None:
    """An object is listed alone; only a star lists everything that begins with a name."""
    save = fill(indexed)
    save("new/person.jpg.bak")

    def keys(place: str, *options: str) -> list[str]:
        return sorted(each["object_key"] for each in listed(indexed, place, *options))

    assert keys("s3://photos/newer") == ["newer/person.jpg"]
    assert keys("s3://photos/newer", "-r") == ["newer/person.jpg"]
    assert keys("s3://photos/new/h", "-r") == ["new/h/short.jpg"]
    for options in ((), ("-r",)):
        assert keys("s3://photos/new/person.jpg", *options) == ["new/person.jpg"]
        both = ["new/person.jpg", "new/person.jpg.bak"]
        assert keys("s3://photos/new/person.jpg*", *options) == both
    assert keys("s3://photos/new/person.jpg", "--status", "failed") == []
    assert columns(run(indexed, "s3://photos/new/person.jpg"))[0][-1] == "person.jpg"
    assert "new/person.jpg" not in keys("s3://photos/ne", "-r")


def test_a_limit_counts_what_is_selected(indexed: Cloud) -> None:
    """Not what only begins like a name."""
    save = fill(indexed)
    for number in range(5):
        save(f"newest-{number}.jpg")

    assert len(listed(indexed, "s3://photos/new", "-r", "--limit", "3")) == 3


def test_recursive_lists_whole_keys(indexed: Cloud) -> None:
    """Subfolders are included, and the whole table is read in spite of the index."""
    fill(indexed)

    result = run(indexed, "s3://photos/new/", "-r")

    assert sorted(line[-1] for line in columns(result)) == [
        "new/h/short.jpg",
        "new/list.txt",
        "new/nobody 1+1.jpg",
        "new/person.jpg",
    ]
    assert result.stderr == "6 items of the table read\n"


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("s3://photos/new/", "--status", "failed"), ["new/list.txt"]),
        (("s3://photos/new/", "--error-code", "NOT_AN_IMAGE"), ["new/list.txt"]),
        (("s3://photos/new*", "--error-code", "CORRUPT_IMAGE", "-r"), ["new/h/short.jpg"]),
        (("s3://photos/new/", "--limit", "2"), ["new/list.txt", "new/nobody 1+1.jpg"]),
        (("s3://photos/new/p*",), ["new/person.jpg"]),
    ],
)
def test_what_is_selected_is_listed(
    indexed: Cloud, arguments: tuple[str, ...], keys: list[str]
) -> None:
    """Folder, status, code and limit select results."""
    fill(indexed)
    assert [each["object_key"] for each in listed(indexed, *arguments)] == keys


def test_json_is_a_line_each(indexed: Cloud) -> None:
    """JSON has the table's names, without absent attributes."""
    fill(indexed)

    failed, _, person = listed(indexed, "s3://photos/new/")

    assert failed.pop("processed_at").endswith("Z")
    assert len(failed.pop("options_hash")) == 16
    assert failed == {
        "object_key": "new/list.txt",
        "bucket": "photos",
        "status": "failed",
        "error_code": "NOT_AN_IMAGE",
        "error_message": "no image",
        "image": {"bytes": 4711},
        "etag": "feed",
        "source_last_modified": "2026-01-02T03:04:05Z",
        "job_id": "order-7",
    }
    assert person["image"] == {"width": 640, "height": 480, "format": "jpeg", "bytes": 4711}
    assert person["bounding_box"].keys() == {"x", "y", "width", "height"}


def test_no_key_controls_the_terminal(indexed: Cloud) -> None:
    """Keys may contain any characters, which only JSON keeps."""
    key = "new/\x1b[31m\n\x07é.jpg"
    saving(ResultsTable(indexed.stack.table, ModelOptions()))(key)

    result = run(indexed, "s3://photos/new/")

    assert result.stdout.endswith(" [31m  é.jpg\n")
    assert result.stdout.count("\n") == 1
    assert listed(indexed, "s3://photos/new/")[0]["object_key"] == key


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("s3://photos/none/",), "nothing found in s3://photos/none/\n"),
        (
            ("s3://photos/a b",),
            "s3://photos/a b; for all keys that begin with this, use 's3://photos/a b*'\n",
        ),
        (("s3://nobucket",), "nothing found in s3://nobucket/\n"),
        (("s3://photos", "--json"), "nothing found directly in this folder; --recursive includes"),
    ],
)
def test_nothing_found_is_no_error(indexed: Cloud, arguments: tuple[str, ...], words: str) -> None:
    """An empty list is not an error; standard error has a hint."""
    fill(indexed)

    result = run(indexed, *arguments)

    assert (result.exit_code, result.stdout) == (0, "")
    assert words in result.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "words"),
    [
        (("photos/new/",), {}, 2, "'photos/new/' is not an address such as s3://bucket/prefix"),
        (
            ("s3://photos", "--status", "detected", "--error-code", "TOO_SMALL"),
            {},
            2,
            "--error-code can only be combined with --status failed",
        ),
        (("s3://photos", "--error-code", "TOO_SMAL"), {}, 2, "'TOO_SMAL' is not one of"),
        (("s3://photos",), {"RESULTS_TABLE": ""}, 2, "--table is missing"),
        (("s3://photos", "--table", "no-such"), {}, 1, "no such table at http"),
    ],
)
def test_errors_are_one_line(
    cloud: Cloud,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    status: int,
    words: str,
) -> None:
    """The line says what to do, and usage errors exit with 2."""
    result = run(cloud, *arguments, **environment)

    assert (result.exit_code, result.stdout) == (status, "")
    assert words in result.stderr.splitlines()[-1]


def command(cloud: Cloud, *arguments: str) -> list[str]:
    """Return the command line for the stack's table."""
    program = [sys.executable, "-m", "landmarks", "list", "--table", cloud.stack.table]
    return [*program, *arguments]


def test_a_closed_pipe_ends_it_quietly(cloud: Cloud) -> None:
    """A closed pipe, as with `| head`, prints no traceback."""
    save = saving(ResultsTable(cloud.stack.table, ModelOptions()))
    for number in range(20):  # more than a pipe holds
        save(f"{number}", outcome=CorruptImageError("x" * 10_000))

    listing = command(cloud, "s3://photos", "--json")
    with subprocess.Popen(listing, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["status"] == "failed"
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_terminal_shows_a_header_and_colours(indexed: Cloud) -> None:
    """On a terminal there is a header, and failures are red; in a pipe neither."""
    fill(indexed)
    reader, terminal = os.openpty()

    listing = command(indexed, "s3://photos/new/")
    subprocess.run(listing, stdout=terminal, check=True)
    os.close(terminal)
    header, failed, nobody, _ = os.read(reader, 10_000).decode().splitlines()
    os.close(reader)

    titles = re.split(" {2,}", click.unstyle(header))
    assert titles == ["processed", "status", "score or code", "people", "pixels", "key"]
    assert click.unstyle(header).index("key") == nobody.index("nobody 1+1.jpg")
    assert (click.unstyle(failed) != failed, click.unstyle(nobody) == nobody) == (True, True)
