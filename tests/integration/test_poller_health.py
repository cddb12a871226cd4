"""What the poller says about its health: by a file, by a port, and to `--check-health`."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from landmarks.errors import SettingsError
from tests.fakes import Cloud, closed_port
from tests.integration.test_poller import ROOT, poller, wait_until
from worker.poller.__main__ import main
from worker.poller.health import Health, serve_health


def check(*where: str) -> subprocess.CompletedProcess[str]:
    """What an orchestrator runs in the container."""
    return subprocess.run(
        [sys.executable, "-m", "worker.poller", "--check-health", *where],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def ask(port: int, path: str = "/healthz", host: str = "127.0.0.1") -> tuple[int, str]:
    """Status and words of the health port."""
    with closing(HTTPConnection(host, port)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def free_port() -> int:
    """A port that nothing listens on."""
    with closed_port() as address:
        return int(address.rpartition(":")[2])


@contextmanager
def served(health: Health, host: str) -> Iterator[int]:
    """The port of a server that reports `health`."""
    server = serve_health(health, host, 0)
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def health() -> Health:
    """Patient for a minute."""
    return Health(60)


@pytest.fixture
def port(health: Health) -> Iterator[int]:
    """Of a server that reports it."""
    with served(health, "127.0.0.1") as port:
        yield port


def test_port_is_healthy_while_polls_succeed(health: Health, port: int) -> None:
    """503 before the first poll, 200 after it, and 503 again when the last one is too old."""
    assert ask(port) == (503, "no successful poll yet\n")
    health.polled()
    assert ask(port) == (200, "ok\n")
    health._good_until -= 61
    assert ask(port) == (503, "no successful poll, or a batch overdue, for 60 s\n")
    assert ask(port, "/")[0] == 404


def test_port_can_be_asked_by_a_command(health: Health, port: int) -> None:
    """Where there is no curl: status 0 or 1, and what is wrong."""
    before = check("--health-port", str(port))
    health.polled()
    after = check("--health-port", str(port))
    unreachable = check("--health-port", str(free_port()))

    assert (before.returncode, after.returncode, unreachable.returncode) == (1, 0, 1)
    assert before.stderr == "no successful poll yet\n"
    assert "refused" in unreachable.stderr


def needs_ipv6() -> None:
    """Skip the test on a machine without an IPv6 loopback address."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback address")


@pytest.mark.parametrize("host", ["127.0.0.2", "0.0.0.0", "localhost", "::1", "::"])  # noqa: S104, what is tested
def test_the_host_that_listens_is_the_one_that_is_asked(host: str, health: Health) -> None:
    """--health-host is the same for both; an address for all is asked on the loopback one."""
    if ":" in host:
        needs_ipv6()
    health.polled()
    with served(health, host) as port:
        with pytest.raises(SystemExit) as healthy:
            main(["--check-health", "--health-port", str(port), "--health-host", host])
        with pytest.raises(SystemExit) as elsewhere:
            main(["--check-health", "--health-port", str(port), "--health-host", "127.0.0.3"])

    assert healthy.value.code is None
    assert (elsewhere.value.code is None) is (host == "0.0.0.0" or host == "::")  # noqa: S104, PLR1714


def test_every_address_is_ipv4_too(health: Health) -> None:
    """A probe may come by either."""
    needs_ipv6()
    if not socket.has_dualstack_ipv6():
        pytest.skip("this system keeps IPv4 and IPv6 apart")
    health.polled()
    with served(health, "::") as port:
        assert ask(port) == ask(port, host="::1") == (200, "ok\n")


def test_address_that_cannot_be_listened_on_is_a_wrong_setting(port: int, health: Health) -> None:
    """The person reads which one."""
    with pytest.raises(SettingsError, match=f"--health-port: 127.0.0.1:{port}: Address already"):
        serve_health(health, "127.0.0.1", port)
    with pytest.raises(SettingsError, match=r"--health-port: \[2001:db8::1\]:80: "):
        serve_health(health, "2001:db8::1", 80)


def test_batch_may_take_its_time_and_no_longer(health: Health) -> None:
    """Without polls a batch that is within its time is healthy, one that is overdue is not."""
    health.polled()
    health._good_until -= 61
    health.began(1000)
    health._due[0] -= 1000
    assert health.complaint is None
    health._due[0] -= 61
    health.polled()
    assert health.complaint


def test_end_of_one_batch_does_not_hasten_the_next(health: Health) -> None:
    """The second has begun before the end of the first."""
    due = health.began(10)
    health.began(1000)
    health.ended(due, detectors_failing=False)
    health._good_until -= 61
    assert health.complaint is None
    health._due[0] -= 1061
    assert health.complaint


def test_detectors_that_do_not_start_are_a_complaint(health: Health) -> None:
    """Until one has started again."""
    health.ended(health.began(60), detectors_failing=True)
    assert health.complaint == "no detector starts"
    health.ended(health.began(60), detectors_failing=False)
    assert health.complaint is None


def test_file_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    """The person reads which one, and nothing is started."""
    file = tmp_path / "missing" / "health"
    with pytest.raises(SettingsError, match=f"--health-file: {file}: No such file or directory"):
        Health(60, file)


def test_file_of_an_earlier_process_means_nothing(tmp_path: Path) -> None:
    """It is removed, and written again once the poller is healthy."""
    file = tmp_path / "health"
    file.touch()
    health = Health(60, file)
    health.tick()
    assert not file.exists()
    health.polled()
    health.tick()
    assert file.exists()


def test_poller_survives_the_loss_of_its_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where its folder is removed, a line in the log says so."""
    folder = tmp_path / "folder"
    folder.mkdir()
    health = Health(60, folder / "health")
    folder.rmdir()
    health.polled()

    health.tick()

    assert "health file not touched" in caplog.text


def test_running_poller_is_healthy(cloud: Cloud, tmp_path: Path) -> None:
    """File and port tell of the first poll; a file that is no longer touched, of the end."""
    file, port = tmp_path / "health", free_port()
    options = ("--wait-seconds", "1", "--health-file", str(file), "--health-port", str(port))
    before = check("--health-file", str(file))
    with poller(cloud, *options) as process:
        wait_until(file.exists)
        during = check("--health-file", str(file))
        over_http = ask(port)
        process.terminate()
        process.communicate(timeout=60)
    os.utime(file, (time.time() - 60,) * 2)
    after = check("--health-file", str(file))

    assert (before.returncode, before.stderr) == (1, f"{file}: No such file or directory\n")
    assert (during.returncode, during.stderr) == (0, "")
    assert over_http == (200, "ok\n")
    assert process.returncode == 0
    assert after.returncode == 1
    assert after.stderr.startswith(f"{file} was last touched ")


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
def test_wrong_option_is_refused(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage, the option and what is allowed, before anything is started."""
    with pytest.raises(SystemExit, match="2"):
        main([f"{option}={value}"])

    assert f"argument {option}: has to be a whole number from" in capsys.readouterr().err
