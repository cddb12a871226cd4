"""`landmarks demo`, run as a person runs it: a process, its exit status, what it prints and leaves.

Each run starts services, a poller and detectors of its own; the ones whose results many tests
look at are shared.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

ROOT: Final = Path(__file__).parents[2]
ASTRONAUT: Final = Path(str(files("skimage") / "data" / "astronaut.png"))
ODD_KEY: Final = "photos/Zürich 1+1/caméra.png"
# Markup, an escape sequence, and an image that is stored on its side.
TURNED: Final = "below/[red]turned[]\033[31m.JPEG"

# Generous: a run takes 4 s on two quiet cores.
TIMEOUT_SECONDS: Final = 120
# A process whose parent was killed sees its pipe closed, and ends.
ENDING_SECONDS: Final = 10


@dataclass
class Run:
    """A run of the command that has ended.

    Attributes:
        status: the exit status.
        stdout: what was printed.
        stderr: errors and progress.
        output: the folder that the command wrote to.
        processes: ids of all processes that it had started.
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
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            direct = {int(child) for child in children.read_text().split()}
        except OSError:
            continue  # the thread has ended
        found |= direct.union(*map(descendants, direct))
    return found


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie that nobody asked after."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


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
        interfere: called with the ids of its processes until it says that it has done something.
    """
    seen: set[int] = set()
    deadline, pending = time.monotonic() + TIMEOUT_SECONDS, True
    while process.poll() is None and time.monotonic() < deadline:
        seen |= descendants(process.pid)
        pending = pending and not interfere(seen)
        time.sleep(0.02)
    stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    return Run(process.returncode, stdout, stderr, output, seen)


def succeeded(run: Run) -> Run:
    """The run, if it did."""
    assert run.status == 0, run.stderr
    return run


def assert_nothing_is_left(run: Run) -> None:
    """Of all processes that were started, none may live on."""
    assert len(run.processes) >= 3, "the poller and two detectors were expected"
    deadline = time.monotonic() + ENDING_SECONDS
    while left := {pid for pid in run.processes if is_running(pid)}:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


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


def overlays_of(run: Run) -> list[Path]:
    """All files in the folder of overlays."""
    return list((run.output / "overlays").iterdir())


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The demo as it is."""
    output = tmp_path_factory.mktemp("samples") / "made" / "by itself"
    with running(output) as process:
        return succeeded(finish(process, output))


@pytest.fixture(scope="module")
def folder_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The demo on a folder of one's own."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "below" / ".hidden").mkdir(parents=True)
    (folder / TURNED).write_bytes(astronaut("JPEG", orientation=6))
    (folder / "broken.png").write_bytes(ASTRONAUT.read_bytes()[:1000])
    for ignored in ("notes.txt", "below/.hidden/hidden.jpg", ".hidden.jpg"):
        (folder / ignored).write_bytes(b"?")
    output = folder / "out"  # what is drawn there is not taken for a photo
    (output / "overlays").mkdir(parents=True)
    (output / "overlays" / "stranger.png").write_bytes(ASTRONAUT.read_bytes())
    with running(output, "--images", str(folder)) as process:
        return succeeded(finish(process, output))


def test_the_demo_succeeds(sample_run: Run) -> None:
    """It ends with status 0, without a word of error, and says what it has done."""
    assert sample_run.status == 0
    assert "rror" not in sample_run.stderr
    assert sample_run.stdout.startswith("4 photos and 6 messages, done in ")


def test_every_photo_has_its_result(sample_run: Run) -> None:
    """A person, nobody, no image, and a key that needs encoding: each is stored as what it is."""
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
    """Items hold MediaPipe's JSON, and the astronaut's face is where it is on the photo."""
    item = sample_run.items["astronaut.png"]
    assert len(item["pose_landmarks"]["landmark"]) == 33
    assert set(item["pose_world_landmarks"]["landmark"][0]) == {"x", "y", "z", "visibility"}
    face = item["face_landmarks"]["landmark"]
    assert len(face) == 468
    assert (face[1]["x"], face[1]["y"]) == pytest.approx((0.44, 0.25), abs=0.04)  # the nose's tip
    assert "left_hand_landmarks" not in item
    assert item["model"]["model_complexity"] == 1
    assert item["image"] == {"width": 512, "height": 512, "format": "png", "bytes": 791555}


def test_what_came_twice_was_skipped(sample_run: Run) -> None:
    """The astronaut's second job is the one duplicate, under the id of another message."""
    (duplicate,) = sample_run.results["duplicates"]
    assert duplicate["key"] == "astronaut.png"
    assert duplicate["message_id"] != sample_run.items["astronaut.png"]["message_id"]
    assert "duplicates    astronaut.png" in map(str.rstrip, sample_run.stdout.splitlines())


def test_what_nobody_can_read_is_a_dead_letter(sample_run: Run) -> None:
    """The stray message lies in the dead-letter queue, with the reason."""
    (letter,) = sample_run.results["dead_letters"]
    assert json.loads(letter["body"]) == {"photo": "rocket.jpg"}
    assert letter["error_code"] == "INVALID_MESSAGE"
    assert "expected `key`" in letter["error_message"]
    assert "INVALID_MESSAGE: expected `key`" in sample_run.stdout


def test_the_table_says_what_the_results_say(sample_run: Run) -> None:
    """Key, status, groups or error code, score with two decimals, milliseconds."""
    items = sample_run.items
    for key in ("astronaut.png", ODD_KEY):
        score, ms = items[key]["pose_score"], items[key]["duration_ms"]["total"]
        assert sample_run.row(key) == ["detected", "pose", "·", "face", f"{score:.2f}", f"{ms:,}"]
    assert sample_run.row("rocket.jpg")[:3] == ["not_detected", "-", "-"]
    assert sample_run.row("shopping list.jpg")[:3] == ["failed", "NOT_AN_IMAGE", "-"]
    assert max(map(len, sample_run.stdout.split("\nreport ")[0].splitlines())) <= 80


def test_the_paths_that_are_printed_exist(sample_run: Run) -> None:
    """Report, overlays, results and log are where the last lines say, each in one piece."""
    lines = sample_run.stdout.splitlines()[-4:]
    paths = [Path(line[14:]) for line in lines]
    assert [line[:14].strip() for line in lines] == [
        "report",
        "overlays",
        "results",
        "worker's log",
    ]
    assert [path.name for path in paths] == [
        "report.html",
        "overlays",
        "results.json",
        "worker.log",
    ]
    assert all(path.exists() and path.parent == sample_run.output for path in paths)


def test_who_was_found_has_an_overlay(sample_run: Run) -> None:
    """Two of four photos have one, named in the results by their keys."""
    overlays = sample_run.results["overlays"]
    assert set(overlays) == {"astronaut.png", ODD_KEY}
    drawn = {path.relative_to(sample_run.output).as_posix() for path in overlays_of(sample_run)}
    assert (
        drawn
        == set(overlays.values())
        == {
            "overlays/astronaut.png",
            "overlays/photos-Zurich-1-1-camera.png",
        }
    )


def test_the_report_has_all_photos(sample_run: Run) -> None:
    """Every result with its photo, but of what is no image there is none."""
    page = Page(sample_run.output / "report.html")
    assert page.photos == {
        "astronaut.png": "embedded",
        ODD_KEY: "embedded",
        "rocket.jpg": "embedded",
        "shopping list.jpg": "refused",
    }
    assert page.report["summary"]["outcomes"] == {"detected": 2, "not_detected": 1, "failed": 1}


def test_overlays_are_photos_drawn_on_where_landmarks_are(sample_run: Run) -> None:
    """Pixels change around every joint that is visible, and nowhere far from the person."""
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


def test_the_log_is_the_real_pollers(sample_run: Run) -> None:
    """Each job has its line there, with the id of the message it came in."""
    lines = (sample_run.output / "worker.log").read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines if line.startswith('{"level"')]
    finished = [event for event in events if event["message"] == "job finished"]
    assert len({event["message_id"] for event in finished}) == 5


def test_nothing_is_left_running(sample_run: Run) -> None:
    """Poller and detectors have ended with the command."""
    assert_nothing_is_left(sample_run)


def test_progress_is_plain_lines_where_there_is_no_terminal(sample_run: Run) -> None:
    """The stages are named on stderr, in order and without control characters."""
    lines = sample_run.stderr.splitlines()
    stages = [line for line in lines if ":" not in line]
    assert stages == [
        "Starting S3, SQS and DynamoDB",
        "Uploading photos",
        "Sending messages",
        "Finding landmarks",
        "Drawing overlays",
        "Reading the table",
        "Embedding photos",
    ]
    assert sample_run.stderr.isascii()
    assert sample_run.stderr.replace("\n", "").isprintable()


def test_a_folder_is_just_its_pictures(folder_run: Run) -> None:
    """Below it too, whatever their case; other files, hidden ones and overlays are left out."""
    assert {key: item["status"] for key, item in folder_run.items.items()} == {
        TURNED: "detected",
        "broken.png": "failed",
    }
    assert folder_run.results["duplicates"] == folder_run.results["dead_letters"] == []
    assert "left out      1 file" in folder_run.stdout


def test_a_turned_photo_is_upright_in_its_overlay(folder_run: Run) -> None:
    """It looks like the sample's: the face is where the upright landmarks are."""
    nose = folder_run.items[TURNED]["face_landmarks"]["landmark"][1]
    assert (nose["x"], nose["y"]) == pytest.approx((0.44, 0.25), abs=0.04)
    drawn = pixels(folder_run.output / folder_run.results["overlays"][TURNED])
    with Image.open(ASTRONAUT) as picture:
        plain = np.asarray(picture.resize((1280, 1280)), np.int16)
    assert np.abs(drawn - plain).mean() < 10


def test_a_strangers_file_among_the_overlays_stays(folder_run: Run) -> None:
    """Only the demo's own pictures of an earlier run would be removed."""
    names = sorted(path.name for path in overlays_of(folder_run))
    assert names == ["below-red-turned-31m.png", "stranger.png"]


def test_a_file_name_cannot_speak_to_the_terminal(folder_run: Run) -> None:
    """Escape sequences and markup in keys are shown, not obeyed."""
    assert "\033" not in folder_run.stdout
    assert r"below/[red]turned[]\x1b[31m.JPEG" in folder_run.stdout


def run_briefly(output: Path, *arguments: str, **environment: str) -> Run:
    """Run the command where it is to refuse."""
    with running(output, *arguments, **environment) as process:
        return finish(process, output)


def error_of(run: Run) -> str:
    """The one error that a run ended with."""
    assert run.status == 1
    assert "Traceback" not in run.stderr
    return run.stderr.partition("Error: ")[2]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    """There is one line about it, and nothing was written."""
    folder, output = tmp_path / "empty", tmp_path / "out"
    folder.mkdir()
    (folder / "notes.txt").touch()
    error = error_of(run_briefly(output, "--images", str(folder)))
    assert error.splitlines() == [
        f"{folder} has no pictures (*.jpg, *.png, *.webp, ...); files of other kinds: 1"
    ]
    assert not output.exists()


def test_a_wrong_setting_is_an_error(tmp_path: Path) -> None:
    """The worker's own message reaches the person, before the worker is started."""
    run = run_briefly(tmp_path, MODEL_COMPLEXITY="3")
    assert error_of(run).startswith("MODEL_COMPLEXITY='3' is not allowed")
    assert not run.processes


def test_a_missing_model_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """Where MediaPipe lacks the model, the way to it is named."""
    package = tmp_path / "mediapipe"
    package.mkdir()
    (package / "__init__.py").touch()
    run = run_briefly(tmp_path / "out", MODEL_COMPLEXITY="2", PYTHONPATH=str(tmp_path))
    assert "fetch_models.py --complexity 2" in error_of(run)


def test_a_worker_that_dies_is_an_error(tmp_path: Path) -> None:
    """The demo does not wait for a dead worker, and shows how its log ends."""

    def kill_poller(processes: set[int]) -> bool:
        if not processes:
            return False
        os.kill(min(processes), signal.SIGKILL)
        return True

    with running(tmp_path) as process:
        run = finish(process, tmp_path, interfere=kill_poller)
    assert error_of(run).startswith("the worker ended with status -9\n")
    assert f"{tmp_path / 'worker.log'} ends with:" in run.stderr


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "kill"]
)
def test_stopping_it_stops_everything(number: signal.Signals, status: int, tmp_path: Path) -> None:
    """In the midst of work, nothing that was started survives, and there is no traceback."""
    with running(tmp_path) as process:

        def interrupt(processes: set[int]) -> bool:
            if len(processes) < 3:
                return False
            process.send_signal(number)
            return True

        run = finish(process, tmp_path, interfere=interrupt)
    assert run.status == status
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "results.json").exists()
    assert_nothing_is_left(run)


def test_the_worker_does_without_the_demos_packages() -> None:
    """Nothing that Lambda imports needs click, rich, Pillow or the embedded services."""
    code = (
        "import sys, worker.startup, worker.composition, worker.telemetry, worker.detector.child;"
        "print(*{'click', 'rich', 'PIL', 'moto', 'skimage', 'landmarks.local', 'landmarks.cli',"
        "'landmarks.drawing', 'landmarks.report'}.intersection(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert ran.stdout.strip() == b""
