"""`landmarks detect`: files in, results out, without queue, bucket and table."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from landmarks.cli.main import landmarks
from landmarks.drawing.canvas import MAX_SIDE_PIXELS, draw_overlay
from landmarks.item import KEYS
from landmarks.photograph import PhotoDecoder, UnreadablePhotographError
from tests import photos
from tests.conftest import MakeHandler
from tests.fakes import Cloud, RiggedDetectors, deliver, nobody, person, seen_nobody
from tests.integration.test_poller import children, is_running, wait_until
from worker.detector.pool import DetectorPool
from worker.model import POSE_MODELS
from worker.result import Detection

ROOT: Final = Path(__file__).parents[2]
KEY: Final = "fotos/été 1+1.jpg"
MILK: Final = b"Milk, bread, two rolls of film\n"
NO_IMAGE: Final = 'NOT_AN_IMAGE: not an image: 31 bytes starting with "Milk, bread, two"'

# What the table also knows: which object it was, which message asked for it, and when.
NOT_OF_FILES: Final = {
    *KEYS,
    *("prefix", "etag", "source_last_modified", "message_id", "attempts"),
    *("processed_at", "duration_ms"),
}


@pytest.fixture
def shared(detectors: DetectorPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command, run in this process, has all tests' detectors."""
    use(detectors, monkeypatch)
    monkeypatch.setattr(detectors, "close", lambda: None)


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: somebody, nobody, and a list."""
    (tmp_path / "person.jpg").write_bytes(person())
    (tmp_path / "wall.png").write_bytes(nobody())
    (tmp_path / "list.jpg").write_bytes(MILK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def use(detectors: DetectorPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the command these detectors, and leave this process readable."""
    monkeypatch.setattr("landmarks.local.detection.DetectorPool", lambda *_: detectors)
    monkeypatch.setattr("landmarks.local.detection.hide_from_children", lambda: None)


def run(*arguments: str, stdin: bytes = b"", **environment: str) -> Result:
    """Run the command; keywords are environment variables."""
    usual = {"MODEL_COMPLEXITY": "1", "DETECTORS": "2", "RESULTS_TABLE": "", "COLUMNS": "100"}
    return CliRunner().invoke(
        landmarks, ["detect", *arguments], input=stdin, env={**usual, **environment}
    )


def succeed(*arguments: str, stdin: bytes = b"") -> Result:
    """Run it successfully."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result


def start(*arguments: str, code: str = "", **options: Any) -> "subprocess.Popen[str]":  # noqa: ANN401, Popen's
    """Start the command as a process of its own, without a word about AWS in its environment."""
    program = f"import sys\n{code}\nfrom landmarks.cli.main import main\nmain()"
    variables = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.Popen(
        [sys.executable, "-c", program, "detect", *arguments],
        env={**variables, "PYTHONPATH": str(ROOT), "MODEL_COMPLEXITY": "1", "DETECTORS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture
def stored(cloud: Cloud, make_handler: MakeHandler) -> Cloud:
    """A stack whose worker has processed `person`."""
    cloud.put(KEY, person())
    assert deliver(make_handler(), {"key": KEY}) == []
    return cloud


def got(cloud: Cloud, *arguments: str) -> Result:
    """What `landmarks get` prints about it."""
    return CliRunner().invoke(landmarks, ["get", KEY, *arguments], env=cloud.stack.environment)


@pytest.mark.usefixtures("shared", "album")
class TestOnePhoto:
    """The same results, in the same forms, as through queue, bucket and table."""

    def test_it_is_listed_as_get_lists_it(self, stored: Cloud) -> None:
        """All but the name, the bucket and the times."""

        def told(result: Result) -> list[str]:
            _, *lines = result.stdout.splitlines()
            return [line for line in lines if not line.startswith(("  processed", "  took"))]

        for options in ((), ("--all",)):
            result = succeed("person.jpg", *options)
            assert result.stdout.startswith("person.jpg\n  status      detected  score 0.8")
            assert told(result) == told(got(stored, *options))

    def test_json_is_what_is_stored(self, stored: Cloud) -> None:
        """With `file` first, instead of key and bucket, and nothing about an object or a job."""
        (line,) = succeed("person.jpg", "--json").stdout.splitlines()

        seen, there = json.loads(line), json.loads(got(stored, "--json").stdout)
        assert next(iter(seen.items())) == ("file", "person.jpg")
        assert seen.keys() - there.keys() == {"file"}
        assert there.keys() - seen.keys() == NOT_OF_FILES - {"processed_at", "duration_ms"}
        others = there.keys() - NOT_OF_FILES
        assert {name: seen[name] for name in others} == {name: there[name] for name in others}
        assert {"pose_landmarks", "bounding_box", "options_hash", "model", "image"} <= others

    def test_csv_is_what_get_prints(self, stored: Cloud) -> None:
        """With the file's path before each row."""
        rows = list(csv.reader(io.StringIO(succeed("person.jpg", "--csv").stdout)))

        assert [row[0] for row in rows] == ["file"] + ["person.jpg"] * (len(rows) - 1)
        there = list(csv.reader(io.StringIO(got(stored, "--csv").stdout)))
        assert [row[1:] for row in rows] == there

    def test_npz_is_what_get_writes(self, stored: Cloud) -> None:
        """The key is the file's path."""
        content, there = succeed("person.jpg", "--npz").stdout_bytes, got(stored, "--npz")

        with np.load(io.BytesIO(content)) as mine, np.load(io.BytesIO(there.stdout_bytes)) as its:
            assert str(mine["key"]) == "person.jpg"
            assert set(its) - set(mine) == {"bucket", "etag"}
            for name in set(mine) - {"key"}:
                assert mine[name].tobytes() == its[name].tobytes(), name

    def test_standard_input_is_a_photo(self) -> None:
        """Its name is a dash."""
        piped = json.loads(succeed("-", "--json", stdin=person()).stdout)
        named = json.loads(succeed("person.jpg", "--json").stdout)

        assert piped["file"] == "-"
        for name in ("pose_landmarks", "image"):
            assert piped[name] == named[name]

    def test_nobody_is_no_error(self) -> None:
        """It is a result; a table without rows says so on standard error."""
        assert "not_detected" in succeed("wall.png").stdout
        without = succeed("wall.png", "--csv")
        assert without.stdout.count("\n") == 1
        assert without.stderr == "no landmarks in wall.png: not_detected\n"

    def test_what_can_not_be_read_has_the_workers_words(self) -> None:
        """And exit status 1."""
        result = run("list.jpg")
        assert result.exit_code == 1
        assert f"  reason      {NO_IMAGE}\n" in result.stdout

        failed = run("list.jpg", "--json")
        assert failed.exit_code == 1
        item = json.loads(failed.stdout)
        assert f"{item['error_code']}: {item['error_message']}" == NO_IMAGE
        assert item["image"] == {"bytes": len(MILK)}

    @pytest.mark.parametrize(
        ("name", "words"),
        [("gone.jpg", "No such file or directory"), (".", "Is a directory")],
    )
    def test_a_missing_file_fails_like_a_photo(self, name: str, words: str) -> None:
        """For programs, too."""
        result = run(name)
        assert result.exit_code == 1
        assert f"UNREADABLE_FILE: {words}" in result.stdout

        assert json.loads(run(name, "--json").stdout) == {
            "file": name,
            "status": "failed",
            "error_code": "UNREADABLE_FILE",
            "error_message": words,
            "schema_version": 1,
        }

    @pytest.mark.parametrize("file", ["list.jpg", "-"])
    def test_too_many_bytes_are_not_read(self, file: str) -> None:
        """MAX_IMAGE_BYTES holds for files and for standard input."""
        result = run(file, stdin=MILK, MAX_IMAGE_BYTES="30")

        assert result.exit_code == 1
        assert "TOO_MANY_BYTES: 31 bytes, more than the 30 allowed" in result.stdout

    def test_a_name_that_is_no_text_is_shown_with_replacements(self, album: Path) -> None:
        """Every form can be written."""
        name = b"caf\xe9.png"
        (album / os.fsdecode(name)).write_bytes(nobody())

        for form in ("--json", "--csv", "--npz", "--all"):
            succeed(os.fsdecode(name), form)
        assert json.loads(succeed(os.fsdecode(name), "--json").stdout)["file"] == "caf\ufffd.png"


@pytest.mark.usefixtures("shared", "album")
class TestSeveralPhotos:
    """A row, a line or some rows for each, in the order of the arguments."""

    def test_each_has_a_row(self) -> None:
        """Reasons are below the table, and the status is 1 if one can't be read."""
        photos = ("wall.png", "list.jpg", "person.jpg", "gone.jpg", "wall.png")
        result = run(*photos, COLUMNS="20")  # of a terminal; standard output is none

        assert result.exit_code == 1
        table, _, reasons = result.stdout.partition("\n\n")
        rows = [line.split() for line in table.splitlines()[2:]]
        assert [row[:-1] for row in rows] == [
            ["wall.png", "not_detected", "-", "-"],
            ["list.jpg", "failed", "NOT_AN_IMAGE", "-"],
            ["person.jpg", "detected", "pose", "·", "face", "0.80"],
            ["gone.jpg", "failed", "UNREADABLE_FILE", "-"],
        ]
        assert reasons.splitlines() == [
            f"list.jpg: {NO_IMAGE}",
            "gone.jpg: UNREADABLE_FILE: No such file or directory",
        ]
        assert result.stderr.startswith("4 photos in ")

    def test_json_is_a_line_for_each(self) -> None:
        """Failed ones included."""
        lines = run("wall.png", "gone.jpg", "person.jpg", "--json").stdout.splitlines()

        read = [(item["file"], item["status"]) for item in map(json.loads, lines)]
        assert read == [
            ("wall.png", "not_detected"),
            ("gone.jpg", "failed"),
            ("person.jpg", "detected"),
        ]

    def test_csv_has_one_header(self) -> None:
        """Rows say whose they are; photos without landmarks have none."""
        result = run("person.jpg", "list.jpg", "-", "--csv", stdin=person())

        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        named, piped = ([r for r in rows if r["file"] == name] for name in ("person.jpg", "-"))
        assert [row["x"] for row in named] == [row["x"] for row in piped]
        assert len(rows) == len(named) + len(piped) > 0
        assert f"no landmarks in list.jpg: {NO_IMAGE}\n" in result.stderr

    def test_listings_of_all_landmarks_follow_one_another(self) -> None:
        """With --all."""
        lines = succeed("person.jpg", "wall.png", "--all").stdout.splitlines()

        assert lines[0] == "person.jpg"
        assert lines[lines.index("wall.png") - 1] == ""
        assert any(line.startswith("  467 ") for line in lines)

    def test_npz_is_for_one(self) -> None:
        """Wrong usage, before anything is read."""
        result = run("person.jpg", "wall.png", "--npz")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--npz is for one photo" in result.stderr


def test_photos_are_detected_at_the_same_time(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one, which waits for the second, still comes first."""
    del album
    second_is_done = threading.Event()

    def detect(content: bytes, _: float) -> Detection:
        if content == person():
            assert second_is_done.wait(60)
        else:
            second_is_done.set()
        return seen_nobody()

    rigged = RiggedDetectors(detect)
    use(rigged, monkeypatch)

    lines = succeed("person.jpg", "wall.png", "--json").stdout.splitlines()

    assert [json.loads(line)["file"] for line in lines] == ["person.jpg", "wall.png"]


@pytest.mark.usefixtures("shared")
class TestOverlay:
    """A PNG for one photo, a folder for several."""

    def test_one_photo_is_drawn_on(self, album: Path, detectors: DetectorPool) -> None:
        """As `landmarks overlay` draws, and nothing else is left."""
        found = detectors.detect(person(), time.monotonic() + 60).landmarks

        result = succeed("person.jpg", "--overlay", "a.png")

        assert result.stderr == "1 drawing in a.png\n"
        assert "left_wrist" in result.stdout
        with Image.open("a.png", formats=("PNG",)) as drawing:
            assert drawing.info["Title"] == "person.jpg"
            with PhotoDecoder(MAX_SIDE_PIXELS) as decoder:
                expected = draw_overlay(decoder.decode(person()), found)
            assert drawing.tobytes() == expected.tobytes()
        assert {path.name for path in album.iterdir()} == {
            *("person.jpg", "wall.png", "list.jpg"),
            "a.png",
        }

    def test_boxes_are_drawn_on_request(self, album: Path, detectors: DetectorPool) -> None:
        """As `landmarks overlay --boxes` draws them; without a drawing they are wrong usage."""
        found = detectors.detect(person(), time.monotonic() + 60).landmarks

        succeed("person.jpg", "--overlay", "a.png", "--boxes")
        alone = run("person.jpg", "--boxes")

        with Image.open(album / "a.png", formats=("PNG",)) as drawing:
            with PhotoDecoder(MAX_SIDE_PIXELS) as decoder:
                expected = draw_overlay(decoder.decode(person()), found, boxes=True)
            assert drawing.tobytes() == expected.tobytes()
        assert alone.exit_code == 2
        assert "--boxes needs --overlay" in alone.stderr

    def test_several_are_drawn_into_a_folder(self, album: Path) -> None:
        """With their whole names, and in their own folders where there are several."""
        (album / "more").mkdir()
        (album / "more" / "person.jpg").write_bytes(person())

        result = run("person.jpg", "list.jpg", "more/person.jpg", "-", "--overlay", "drawn")
        succeed("more/person.jpg", "--overlay", "drawn", "--force")

        assert "2 drawings in drawn" in result.stderr
        drawn = {str(path.relative_to("drawn")) for path in Path("drawn").rglob("*.*")}
        assert drawn == {"person.jpg.png", "more/person.jpg.png"}

    @pytest.mark.parametrize(
        ("overlay", "drawing"),
        [("a.png", "a.png"), ("drawn", "drawn/person.jpg.png")],
    )
    def test_a_drawing_is_kept_unless_forced(self, album: Path, overlay: str, drawing: str) -> None:
        """Wrong usage before anything is detected."""
        (album / "drawn").mkdir()
        (album / drawing).write_text("mine")

        refused = run("person.jpg", "--overlay", overlay)

        assert (refused.exit_code, refused.stdout) == (2, "")
        assert f"{drawing} already exists: use --force" in refused.stderr
        assert (album / drawing).read_text() == "mine"
        succeed("person.jpg", "--overlay", overlay, "--force")
        assert (album / drawing).read_bytes().startswith(b"\x89PNG")

    def test_nobody_is_not_drawn(self, album: Path) -> None:
        """Nothing is written, and it is no error."""
        result = succeed("wall.png", "--overlay", "a.png")
        assert result.stderr == "nothing to draw\n"
        assert not (album / "a.png").exists()

    def test_no_photo_is_overwritten(self, album: Path) -> None:
        """By whatever name, and even where it is standard input."""
        photo = album / "photo.png"
        photo.write_bytes(photos.astronaut().content)
        (album / "link.png").symlink_to(photo)
        for arguments in (
            ("photo.png", "--overlay", "photo.png"),
            ("photo.png", "--overlay", "./link.png"),
            ("link.png", "--overlay", "photo.png"),
        ):
            refused = run(*arguments)
            assert (refused.exit_code, refused.stdout) == (2, "")
            assert "is a photo itself; use another name" in refused.stderr
        with photo.open("rb") as stdin:
            process = start("-", "--overlay", "photo.png", stdin=stdin)
            _, words = process.communicate()
        assert (process.returncode, "is a photo itself" in words) == (2, True)
        assert photo.read_bytes() == photos.astronaut().content

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("person.jpg", "--overlay", "a.jpg"), "ends in .png, or a folder"),
            (("person.jpg", "wall.png", "--overlay", "a.png"), "use a folder for several photos"),
        ],
    )
    def test_other_names_are_wrong_usage(
        self, album: Path, arguments: tuple[str, ...], words: str
    ) -> None:
        """One line, before anything is read."""
        del album
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert words in result.stderr

    def test_what_can_not_be_drawn_on_is_an_error(
        self, album: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The result is printed all the same, and an older drawing stays."""

        def refuse(*_: object) -> None:
            raise UnreadablePhotographError("can't read it: why")

        (album / "a.png").write_text("older")
        monkeypatch.setattr("landmarks.photograph.PhotoDecoder.decode", refuse)

        result = run("person.jpg", "--overlay", "a.png", "--force")

        assert result.exit_code == 1
        assert "left_wrist" in result.stdout
        assert "person.jpg is not drawn: can't read it: why\n" in result.stderr
        assert (album / "a.png").read_text() == "older"


def test_npz_is_refused_on_a_terminal(album: Path) -> None:
    """Bytes might control it."""
    terminal, its_end = os.openpty()
    process = start(str(album / "person.jpg"), "--npz", stdout=its_end)
    _, words = process.communicate()
    os.close(its_end)
    os.close(terminal)

    assert process.returncode == 2
    assert "redirect the output" in words


@pytest.mark.parametrize("package", ["mediapipe", "cv2"])
def test_a_missing_extra_is_one_line(album: Path, package: str) -> None:
    """It says what to install; --help needs none."""
    hidden = f"sys.modules[{package!r}] = None"

    helped = start("--help", code=hidden, stdout=subprocess.DEVNULL)
    refused = start(str(album / "person.jpg"), code=hidden, stdout=subprocess.PIPE)

    assert helped.communicate()[1] == ""
    advice = "run pip install '.[worker]' in this project's folder"
    assert refused.communicate() == ("", f"Error: {package} is not installed: {advice}\n")
    assert (helped.returncode, refused.returncode) == (0, 1)


@pytest.mark.usefixtures("album")
def test_a_wrong_setting_or_a_missing_model_is_the_workers_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Settings about services are not read."""
    wrong = run("person.jpg", DETECTORS="many", QUEUE_URL="?", ALLOWED_BUCKETS=",")
    monkeypatch.setitem(POSE_MODELS, 1, "gone.tflite")
    missing = run("person.jpg")

    assert (wrong.exit_code, missing.exit_code) == (1, 1)
    assert wrong.stderr == (
        "Error: DETECTORS='many' is not allowed: must be a whole number from 1 to 64\n"
    )
    assert missing.stderr.startswith("Error: MODEL_COMPLEXITY=1 needs gone.tflite, which is not")
    assert len(missing.stderr.splitlines()) == 1


def test_it_needs_nothing_but_a_file(album: Path) -> None:
    """As a process of its own, with detectors of its own, and no AWS in its environment."""
    process = start(str(album / "person.jpg"), "--json", stdout=subprocess.PIPE)
    output, words = process.communicate()

    assert (process.returncode, words) == (0, "")
    assert json.loads(output)["status"] == "detected"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_it(number: signal.Signals) -> None:
    """Even while it waits for standard input; its detectors end, too."""
    process = start("-", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    wait_until(lambda: bool(children(process.pid)))
    detectors = children(process.pid)

    process.send_signal(number)
    output, words = process.communicate()

    assert (process.returncode, output) == (128 + number, "")
    assert "Traceback" not in words
    wait_until(lambda: not any(map(is_running, detectors)))
