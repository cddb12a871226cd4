"""`landmarks demo`, run as a person runs it: its exit status, what it prints, and its files.

Each run starts services, a worker and detectors; most tests share one of two runs.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.integration.report.pages import Page
from tests.integration.test_poller import is_running, wait_until

ROOT: Final = Path(__file__).parents[2]
ASTRONAUT: Final = Path(str(files("skimage") / "data" / "astronaut.png"))
ODD_KEY: Final = "photos/Zürich 1+1/caméra.png"
# Markup, an escape sequence, and an image that is stored on its side.
TURNED: Final = "below/[red]turned[]\033[31m.JPEG"

# The command where the package that the first argument names is missing.
WITHOUT_A_PACKAGE: Final = """
import sys
from landmarks.cli.main import main

class Finder:
    missing = sys.argv.pop(1)

    def find_spec(self, name, *_):
        if name == self.missing:
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Finder())
main()
"""

TIMEOUT_SECONDS: Final = 300  # a run takes 4 s on two quiet cores


@dataclass
class Run:
    """A run of the command that has ended.

    Attributes:
        status: the exit status.
        stdout: what was printed.
        stderr: errors and progress.
        output: the folder that the command wrote to.
        processes: ids of all processes that it started.
    """

    status: int
    stdout: str
    stderr: str
    output: Path
    processes: set[int]

    @property
    def results(self) -> dict[str, Any]:
        """What `results.json` holds."""
        content: dict[str, Any] = json.loads((self.output / "results.json").read_text("utf-8"))
        return content

    @property
    def items(self) -> dict[str, Any]:
        """The items by key."""
        return {item["object_key"]: item for item in self.results["items"]}

    def row(self, key: str) -> list[str]:
        """The cells that the table shows of a key."""
        (line,) = (line for line in self.stdout.splitlines() if line.startswith(f"{key}  "))
        return line.removeprefix(key).split()


@contextmanager
def running(output: Path, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """The command, killed if the block leaves it running."""
    command = [sys.executable, "-m", "landmarks", "demo", "--output", str(output), *arguments]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "MODEL_COMPLEXITY": "1", "DETECTORS": "2", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def descendants(pid: int) -> set[int]:
    """The ids of a process's children, and of theirs."""
    found: set[int] = set()
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            direct = {int(child) for child in listed.read_text().split()}
            found |= direct.union(*map(descendants, direct))
    return found


def finish(
    process: "subprocess.Popen[str]",
    output: Path,
    *,
    interfere: Callable[[set[int]], bool] = lambda _: False,
) -> Run:
    """Wait for the end of the command.

    Args:
        process: the command.
        output: its folder.
        interfere: called with the ids of its processes until it returns True.
    """
    seen: set[int] = set()
    deadline, pending = time.monotonic() + TIMEOUT_SECONDS, True
    while process.poll() is None and time.monotonic() < deadline:
        seen |= descendants(process.pid)
        pending = pending and not interfere(seen)
        time.sleep(0.02)
    stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    return Run(process.returncode, stdout, stderr, output, seen)


def assert_nothing_is_left(run: Run) -> None:
    """Of all processes that were started, none is still running."""
    assert len(run.processes) >= 3, "the worker and two detectors were expected"
    wait_until(lambda: not any(map(is_running, run.processes)))


def astronaut(kind: str, orientation: int = 1) -> bytes:
    """The sample photo as another file, stored so that it is upright when turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = BytesIO()
    with Image.open(ASTRONAUT) as picture:
        turned = picture.transpose(Image.Transpose.ROTATE_90) if orientation == 6 else picture
        turned.save(file, kind, exif=exif)
    return file.getvalue()


def pixels(path: Path) -> npt.NDArray[np.int16]:
    """A picture's pixels: shape (height, width, 3)."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), np.int16)


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The demo on its samples."""
    output = tmp_path_factory.mktemp("samples") / "made" / "by itself"
    with running(output) as process:
        return finish(process, output)


@pytest.fixture(scope="module")
def folder_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The demo on a folder of photographs."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "below" / ".hidden").mkdir(parents=True)
    (folder / TURNED).write_bytes(astronaut("JPEG", orientation=6))
    (folder / "broken.png").write_bytes(ASTRONAUT.read_bytes()[:1000])
    for ignored in ("notes.txt", "below/.hidden/hidden.jpg", ".hidden.jpg", "line\nfeed.jpg"):
        (folder / ignored).write_bytes(b"?")
    output = folder / "out"
    (output / "overlays").mkdir(parents=True)
    (output / "overlays" / "stranger.png").write_bytes(ASTRONAUT.read_bytes())
    with running(output, "--images", str(folder)) as process:
        return finish(process, output)


def test_demo_succeeds(sample_run: Run) -> None:
    """Status 0, no error, and a line that says what was done."""
    assert sample_run.status == 0, sample_run.stderr
    assert "rror" not in sample_run.stderr
    assert sample_run.stdout.startswith("4 photos and 6 messages, done in ")


def test_every_photo_has_its_result(sample_run: Run) -> None:
    """A person, nobody, not an image, and a key that needs encoding."""
    assert {key: item["status"] for key, item in sample_run.items.items()} == {
        "astronaut.png": "detected",
        ODD_KEY: "detected",
        "rocket.jpg": "not_detected",
        "shopping list.jpg": "failed",
    }
    assert list(sample_run.items) == sorted(sample_run.items)
    assert sample_run.items["shopping list.jpg"]["error_code"] == "NOT_AN_IMAGE"
    assert sample_run.results["without_result"] == []


def test_landmarks_are_decoded(sample_run: Run) -> None:
    """The results are MediaPipe's JSON, and the astronaut's face is where it is on the photo."""
    item = sample_run.items["astronaut.png"]
    assert len(item["pose_landmarks"]["landmark"]) == 33
    assert set(item["pose_world_landmarks"]["landmark"][0]) == {"x", "y", "z", "visibility"}
    face = item["face_landmarks"]["landmark"]
    assert len(face) == 468
    assert (face[1]["x"], face[1]["y"]) == pytest.approx((0.44, 0.25), abs=0.04)  # the nose's tip
    assert "left_hand_landmarks" not in item
    assert item["model"]["model_complexity"] == 1
    assert item["image"] == {"width": 512, "height": 512, "format": "png", "bytes": 791555}


def test_second_message_is_a_duplicate(sample_run: Run) -> None:
    """The astronaut's second job was skipped."""
    (duplicate,) = sample_run.results["duplicates"]
    assert duplicate["key"] == "astronaut.png"
    assert duplicate["message_id"] != sample_run.items["astronaut.png"]["message_id"]
    assert "duplicates    astronaut.png" in map(str.rstrip, sample_run.stdout.splitlines())


def test_unreadable_message_is_a_dead_letter(sample_run: Run) -> None:
    """It is shown with the reason."""
    (letter,) = sample_run.results["dead_letters"]
    assert json.loads(letter["body"]) == {"photo": "rocket.jpg"}
    assert letter["error_code"] == "INVALID_MESSAGE"
    assert "expected `key`" in letter["error_message"]
    assert "INVALID_MESSAGE: expected `key`" in sample_run.stdout


def test_table_agrees_with_the_results(sample_run: Run) -> None:
    """Key, status, groups or error code, score with two decimals, milliseconds."""
    items = sample_run.items
    for key in ("astronaut.png", ODD_KEY):
        score, ms = items[key]["pose_score"], items[key]["duration_ms"]["total"]
        assert sample_run.row(key) == ["detected", "pose", "·", "face", f"{score:.2f}", f"{ms:,}"]
    assert sample_run.row("rocket.jpg")[:3] == ["not_detected", "-", "-"]
    assert sample_run.row("shopping list.jpg")[:3] == ["failed", "NOT_AN_IMAGE", "-"]
    assert max(map(len, sample_run.stdout.split("\nreport ")[0].splitlines())) <= 80


def test_printed_paths_exist(sample_run: Run) -> None:
    """The last lines name report, overlays, results and log, each in one piece."""
    lines = sample_run.stdout.splitlines()[-4:]
    assert {line[:14].strip(): Path(line[14:]).name for line in lines} == {
        "report": "report.html",
        "overlays": "overlays",
        "results": "results.json",
        "worker's log": "worker.log",
    }
    paths = [Path(line[14:]) for line in lines]
    assert all(path.exists() and path.parent == sample_run.output for path in paths)


def test_overlays_are_drawn_where_landmarks_are(sample_run: Run) -> None:
    """Pixels change around every visible joint, and nowhere far from the person."""
    assert sample_run.results["overlays"] == {
        "astronaut.png": "overlays/astronaut.png",
        ODD_KEY: "overlays/photos-Zurich-1-1-camera.png",
    }
    assert len(list((sample_run.output / "overlays").iterdir())) == 2
    drawn = pixels(sample_run.output / "overlays" / "astronaut.png")
    with Image.open(ASTRONAUT) as picture:
        plain = np.asarray(picture.resize((1280, 1280), Image.Resampling.LANCZOS), np.int16)
    changed = np.abs(drawn - plain).max(axis=2) > 20
    joints = sample_run.items["astronaut.png"]["pose_landmarks"]["landmark"][11:]
    visible = [(joint["x"], joint["y"]) for joint in joints if joint["visibility"] >= 0.5]
    assert len(visible) >= 3
    for x, y in visible:
        row, column = int(y * 1280), int(x * 1280)
        assert changed[row - 4 : row + 5, column - 4 : column + 5].any()
    assert not changed[:, 1100:].any()  # the model of the shuttle
    assert 0.002 < changed.mean() < 0.1


def test_report_has_all_photos(sample_run: Run) -> None:
    """Every result with its photo, except for the file that is not an image."""
    page = Page(sample_run.output / "report.html")
    assert page.photos == {
        "astronaut.png": "embedded",
        ODD_KEY: "embedded",
        "rocket.jpg": "embedded",
        "shopping list.jpg": "refused",
    }
    assert page.report["summary"]["outcomes"] == {"detected": 2, "not_detected": 1, "failed": 1}


def test_nothing_is_left_running(sample_run: Run) -> None:
    """Worker and detectors have ended with the command."""
    assert_nothing_is_left(sample_run)


def test_progress_is_plain_lines_without_a_terminal(sample_run: Run) -> None:
    """The stages are named on standard error, without control characters."""
    stages = [line for line in sample_run.stderr.splitlines() if ":" not in line]
    assert stages[:4] == [
        "Starting S3, SQS and DynamoDB",
        "Enqueueing photos",
        "Finding landmarks",
        "Drawing overlays",
    ]
    assert sample_run.stderr.isascii()
    assert sample_run.stderr.replace("\n", "").isprintable()


def test_folder_is_searched_for_pictures(folder_run: Run) -> None:
    """Subfolders too; other files, hidden ones and the demo's own overlays are left out."""
    assert folder_run.status == 0, folder_run.stderr
    assert {key: item["status"] for key, item in folder_run.items.items()} == {
        TURNED: "detected",
        "broken.png": "failed",
    }
    assert folder_run.results["duplicates"] == folder_run.results["dead_letters"] == []
    assert "left out      1 file not named like images" in folder_run.stdout


def test_turned_photo_is_upright_in_its_overlay(folder_run: Run) -> None:
    """It looks like the sample's: the face is where the upright landmarks are."""
    nose = folder_run.items[TURNED]["face_landmarks"]["landmark"][1]
    assert (nose["x"], nose["y"]) == pytest.approx((0.44, 0.25), abs=0.04)
    drawn = pixels(folder_run.output / folder_run.results["overlays"][TURNED])
    with Image.open(ASTRONAUT) as picture:
        plain = np.asarray(picture.resize((1280, 1280)), np.int16)
    assert np.abs(drawn - plain).mean() < 10


def test_other_files_among_the_overlays_stay(folder_run: Run) -> None:
    """Only the demo's own pictures are removed before a run."""
    names = sorted(path.name for path in (folder_run.output / "overlays").iterdir())
    assert names == ["below-red-turned-31m.png", "stranger.png"]


def test_file_name_cannot_control_the_terminal(folder_run: Run) -> None:
    """Escape sequences and markup in keys are shown, not obeyed."""
    assert "\033" not in folder_run.stdout
    assert "below/[red]turned[] [31m.JPEG" in folder_run.stdout


def error_of(run: Run) -> str:
    """The error that a run ended with."""
    assert run.status == 1
    assert "Traceback" not in run.stderr
    return run.stderr.partition("Error: ")[2]


def test_empty_folder_is_an_error(tmp_path: Path) -> None:
    """One line, and nothing is written."""
    folder, output = tmp_path / "empty", tmp_path / "out"
    folder.mkdir()
    (folder / "notes.txt").touch()
    with running(output, "--images", str(folder)) as process:
        error = error_of(finish(process, output))
    assert error.splitlines() == [
        f"{folder} has no pictures (*.jpg, *.png, *.webp, ...); files of other kinds: 1"
    ]
    assert not output.exists()


def test_wrong_setting_is_an_error(tmp_path: Path) -> None:
    """The worker's own message, before the worker is started."""
    with running(tmp_path, MODEL_COMPLEXITY="3") as process:
        run = finish(process, tmp_path)
    assert error_of(run).startswith("MODEL_COMPLEXITY='3' is not allowed")
    assert not run.processes


def test_missing_model_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """It names the program that fetches it."""
    package = tmp_path / "mediapipe"
    package.mkdir()
    (package / "__init__.py").touch()
    output = tmp_path / "out"
    with running(output, MODEL_COMPLEXITY="2", PYTHONPATH=str(tmp_path)) as process:
        assert "fetch_models.py --complexity 2" in error_of(finish(process, output))


def test_worker_that_dies_is_an_error(tmp_path: Path) -> None:
    """The demo stops waiting, and shows the end of the worker's log."""

    def kill_worker(processes: set[int]) -> bool:
        if processes:
            os.kill(min(processes), signal.SIGKILL)
        return bool(processes)

    with running(tmp_path) as process:
        run = finish(process, tmp_path, interfere=kill_worker)
    assert error_of(run).startswith("the worker ended with status -9\n")
    assert f"{tmp_path / 'worker.log'} ends with:" in run.stderr


def test_stopping_it_stops_everything(tmp_path: Path) -> None:
    """In the middle of work: no process survives, and there is no traceback."""
    with running(tmp_path) as process:

        def stop(processes: set[int]) -> bool:
            if len(processes) >= 3:
                process.send_signal(signal.SIGTERM)
            return len(processes) >= 3

        run = finish(process, tmp_path, interfere=stop)
    assert run.status == 143
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "results.json").exists()
    assert_nothing_is_left(run)


@pytest.mark.parametrize(
    ("command", "package"),
    [("demo", "moto"), ("demo", "skimage"), ("demo", "PIL"), ("local", "moto")],
)
def test_missing_extra_is_one_line(command: str, package: str, tmp_path: Path) -> None:
    """It says what to install; --help needs none."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WITHOUT_A_PACKAGE, package, command, *arguments],
            cwd=ROOT,
            env={**os.environ, "MODEL_COMPLEXITY": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("--help").returncode == 0
    ran = run("--output", str(tmp_path))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.splitlines()[-1] == (
        f"Error: {package} is not installed: run pip install '.[worker,cli,local]' "
        "in this project's folder"
    )


def test_worker_needs_none_of_the_commands_packages() -> None:
    """Nothing that Lambda imports needs click, rich, Pillow or the embedded services."""
    code = (
        "import sys, worker.startup, worker.composition, worker.telemetry, worker.detector.child;"
        "print(*{'click', 'rich', 'PIL', 'moto', 'skimage', 'landmarks.local', 'landmarks.cli',"
        "'landmarks.drawing', 'landmarks.report'}.intersection(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert ran.stdout.strip() == b""
