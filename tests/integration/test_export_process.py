"""`landmarks export` as a process: memory use and interruption."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.big_table import big_table
from tests.integration.test_poller import ROOT, wait_until
from tests.signals import hang_ups

# Prints peak memory in kB at the end.
_PROGRAM = """
import atexit, sys
from pathlib import Path

def say_peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    print(*(line for line in lines if line.startswith("VmHWM")), file=sys.stderr)

atexit.register(say_peak)
from landmarks.cli.main import main
main()
"""
_SEGMENTS = 2


def start(address: str, *arguments: str) -> subprocess.Popen[str]:
    """Start the command with the DynamoDB at this URL."""
    environment = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "RESULTS_TABLE": "any",
        "no_proxy": "127.0.0.1",
    }
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, "export", "--segments", str(_SEGMENTS), *arguments],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def peak_megabytes(items: int, file: Path, *options: str) -> float:
    """Return the peak memory of an export of this many results."""
    arguments = ("-o", str(file), "--force", *options)
    with big_table(items) as address, start(address, *arguments) as process:
        _, words = process.communicate(timeout=600)
    assert process.returncode == 0, words
    assert words.splitlines()[-3].startswith(f"{items:,} results")
    return int(words.split()[-2]) / 1024


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    """Memory grows by far less than the size of additional results."""
    file = tmp_path / "a.parquet"

    few, many = peak_megabytes(4000, file), peak_megabytes(12_000, file)

    parquet = pq.ParquetFile(file)
    groups = [parquet.metadata.row_group(n) for n in range(parquet.num_row_groups)]
    assert parquet.metadata.num_rows == 12_000
    assert max(group.num_rows for group in groups) < 3000
    landmarks_megabytes = 8000 * 7000 / 1024**2  # of the additional results
    assert many - few < landmarks_megabytes / 3


def test_cocos_second_list_is_not_in_memory(tmp_path: Path) -> None:
    """The annotations come after all images, and are much larger."""
    file, options = tmp_path / "a.json", ("--format", "coco")

    few, many = peak_megabytes(2000, file, *options), peak_megabytes(8000, file, *options)

    annotation_bytes = 2800
    assert file.stat().st_size > 8000 * annotation_bytes
    assert many - few < 6000 * annotation_bytes / 1024**2 / 3


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupted_export_leaves_no_partial_file(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    """An existing file is unchanged, and one line says so."""
    file, part = tmp_path / "a.parquet", tmp_path / "a.parquet.part"
    file.write_text("older")
    go_on = threading.Event()
    with (
        big_table(2000, pause=go_on) as address,
        hang_ups(signal.SIG_DFL),
        start(address, "-o", str(file), "--force") as process,
    ):
        wait_until(lambda: part.exists() or process.poll() is not None)
        process.send_signal(number)
        go_on.set()
        _, words = process.communicate(timeout=300)

    assert process.returncode == status
    assert f"{file} was not written: the export was interrupted" in words
    assert "Traceback" not in words
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(file, "older")]


def test_a_closed_pipe_is_the_end() -> None:
    """`export -o - | head -1` prints one line and no traceback."""
    with big_table(1000) as address, start(address, "-o", "-") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("{")
        process.stdout.close()
        words = process.stderr.read()

    assert process.returncode == 1
    assert "Traceback" not in words
    assert "Exception" not in words
