"""What the poller says of its health: by its file, by its port, and to whom asks."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from landmarks.errors import DetectorStartError, SettingsError
from tests.fakes import Cloud, closed_port
from tests.integration.test_poller import ROOT, environment, wait_until
from worker.poller.health import DetectorWatch, Health, serve_health
from worker.result import Outcome


def check(*where: str) -> subprocess.CompletedProcess[str]:
    """What an orchestrator runs in the container."""
    return subprocess.run(
        [sys.executable, "-m", "worker.poller", "--check-health", *where],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def ask(port: int, path: str = "/healthz") -> tuple[int, str]:
    """Status and words of the health port."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture
def health() -> Health:
    """Patient for a fifth of a second."""
    return Health(0.2)


@pytest.fixture
def port(health: Health) -> Iterator[int]:
    """Of a server that tells of it."""
    server = serve_health(health, "127.0.0.1", 0)
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


def test_port_is_well_while_polls_succeed(health: Health, port: int) -> None:
    """503 before the first poll, 200 after it, and 503 again when none succeeds for too long."""
    before = ask(port)
    health.polled()
    after = ask(port)
    time.sleep(0.3)

    assert before == (503, "no successful poll yet\n")
    assert after == (200, "ok\n")
    assert ask(port) == (503, "no successful poll, or a batch overdue, for 0.2 s\n")
    assert ask(port, "/")[0] == 404


def test_port_can_be_asked_by_a_command(health: Health, port: int) -> None:
    """Where there is no curl: status 0 or 1, and what is wrong."""
    before = check("--health-port", str(port))
    health.began(60)
    after = check("--health-port", str(port))
    with closed_port() as address:
        nobody = check("--health-port", address.rpartition(":")[2])

    assert (before.returncode, after.returncode, nobody.returncode) == (1, 0, 1)
    assert before.stderr == "no successful poll yet\n"
    assert "refused" in nobody.stderr


def test_batch_may_take_its_time_and_no_longer(health: Health) -> None:
    """A batch that is not yet due is well without polls, one that is overdue is not."""
    health.began(0.3)
    time.sleep(0.35)
    in_time = health.complaint
    time.sleep(0.3)

    assert in_time is None
    assert health.complaint


def test_detectors_that_do_not_come_up_are_a_complaint(health: Health) -> None:
    """Until an image has been through a detector again; other failures are none."""
    log = logging.getLogger("worker.test")
    log.setLevel(logging.INFO)
    log.addHandler(DetectorWatch(health))
    health.began(60)

    log.warning("job postponed", extra={"error_code": "SERVICE_UNAVAILABLE"})
    while_s3_fails = health.complaint
    log.warning("job postponed", extra={"error_code": DetectorStartError.code})
    while_none_comes_up = health.complaint
    log.info("job finished", extra={"outcome": Outcome.DUPLICATE.value})
    after_a_duplicate = health.complaint
    log.info("job finished", extra={"outcome": Outcome.DETECTED.value})

    assert while_s3_fails is None
    assert while_none_comes_up == after_a_duplicate == "no detector comes up"
    assert health.complaint is None


def test_file_that_cannot_be_is_a_wrong_setting(tmp_path: Path) -> None:
    """The person reads which one, and nothing is started."""
    file = tmp_path / "missing" / "health"
    with pytest.raises(SettingsError, match=f"--health-file: {file}: No such file or directory"):
        Health(60, file)


def test_file_of_an_earlier_process_is_no_sign_of_health(tmp_path: Path) -> None:
    """It is gone until the first poll, and there again with the next tick."""
    file = tmp_path / "health"
    file.touch()
    health = Health(60, file)
    health.tick()
    before = file.exists()
    health.polled()
    health.tick()

    assert not before
    assert file.exists()


def test_file_that_is_lost_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its folder may go while the poller runs: a line in the log, and the work goes on."""
    folder = tmp_path / "folder"
    folder.mkdir()
    health = Health(60, folder / "health")
    folder.rmdir()
    health.polled()

    health.tick()

    assert "health file not touched" in caplog.text


def test_port_that_is_taken_is_a_wrong_setting(port: int, health: Health) -> None:
    """The person reads which one."""
    with pytest.raises(SettingsError, match=f"--health-port: 127.0.0.1:{port}: Address already"):
        serve_health(health, "127.0.0.1", port)


def test_running_poller_is_found_well(cloud: Cloud, tmp_path: Path) -> None:
    """File and port tell of the first poll; a file that nobody touches any more, of the end."""
    file = tmp_path / "health"
    with closed_port() as address:
        port = int(address.rpartition(":")[2])
    options = ("--wait-seconds", "1", "--health-file", str(file), "--health-port", str(port))
    before = check("--health-file", str(file))
    with subprocess.Popen(
        [sys.executable, "-m", "worker.poller", *options],
        env=environment(cloud),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until(file.exists)
            during = check("--health-file", str(file))
            over_http = ask(port)
        finally:
            process.terminate()
    os.utime(file, (time.time() - 60,) * 2)
    after = check("--health-file", str(file))

    assert (before.returncode, before.stderr) == (1, f"{file}: No such file or directory\n")
    assert (during.returncode, during.stderr) == (0, "")
    assert over_http == (200, "ok\n")
    assert process.returncode == 0
    assert after.returncode == 1
    assert after.stderr.startswith(f"{file} was last touched 6")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--wait-seconds", "21"),
        ("--batches", "0"),
        ("--batch-seconds", "43200"),
        ("--drain-seconds", "-1"),
        ("--health-port", "65536"),
        ("--health-seconds", "ten"),
    ],
)
def test_wrong_option_is_refused(option: str, value: str) -> None:
    """The usage names it and what is allowed, before anything is started."""
    ended = subprocess.run(
        [sys.executable, "-m", "worker.poller", f"{option}={value}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert f"argument {option}: has to be a whole number from" in ended.stderr
