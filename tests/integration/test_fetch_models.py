"""`image/fetch_models.py` against an HTTP server and a stand-in for npm, with small models."""

import base64
import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import fetch_models
import model_conversion
import model_cut
import model_manifest
import model_sources

FILE = "pose_landmark_heavy.tflite"
DESTINATION = f"modules/pose_landmark/{FILE}"
MODEL = bytes(range(256)) * 4096  # 1 MiB, several chunks
NPM_BUILD = b"the older build that only npm has"

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


def answer(
    content: bytes = MODEL, *, code: int = 200, announced: int | None = None, **headers: str
) -> Answer:
    """A response, whose Content-Length may be wrong."""

    def send(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("Content-Length", str(announced or len(content)))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    return send


class Request(http.server.BaseHTTPRequestHandler):
    """Sends the next planned response; without a plan, the model."""

    def do_GET(self) -> None:
        """Answer."""
        assert isinstance(self.server, Published)
        self.server.requested.append(self.path)
        with suppress(ConnectionError):  # the client may have read enough
            (self.server.plan.pop(0) if self.server.plan else answer())(self)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Published(http.server.ThreadingHTTPServer):
    """The address that models are published at."""

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), Request)
        self.plan: list[Answer] = []
        self.requested: list[str] = []


@pytest.fixture
def published() -> Iterator[Published]:
    """A running server."""
    with Published() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def source(kind: str, content: bytes) -> dict[str, Any]:
    """A source in the manifest that promises this content."""
    found = {"kind": kind, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return found | ({"member": f"package/{FILE}"} if kind == "npm" else {})


class Machine:
    """Folders, a manifest of one model, and a PATH on which there may be an npm."""

    def __init__(self, folder: Path, port: int) -> None:
        """Have no npm."""
        self.target, self.cache, self.tools = (folder / n for n in ("target", "cache", "tools"))
        self.tools.mkdir()
        self._manifest = folder / "models.json"
        self._address = f"http://127.0.0.1:{port}/"
        self.describe(source("url", MODEL), source("npm", NPM_BUILD))

    @property
    def model(self) -> Path:
        """Where the model belongs."""
        return self.target / DESTINATION

    def describe(self, *sources: dict[str, Any], integrity: str = "sha512-none") -> None:
        """Write the manifest."""
        model = {"complexity": 2, "file": FILE, "destination": DESTINATION, "sources": sources}
        small = model | {"complexity": 0, "destination": "lite"}
        package = {"spec": "@made/here@1.0.0", "size": 1, "integrity": integrity}
        manifest = {"published_address": "https://published.invalid/", "npm_package": package}
        self._manifest.write_text(json.dumps(manifest | {"models": [model, small]}))

    def describe_converted(self, content: bytes, *others: dict[str, Any]) -> Path:
        """Write a manifest with a converted model, too; returns its place in the cache.

        Other sources of the model come last.
        """
        self.describe(source("url", MODEL))
        manifest = json.loads(self._manifest.read_text())
        package = {"spec": "@made/there@1.0.0", "size": 1, "integrity": "sha512-none"}
        converted = {
            "file": "boxes",
            "destination": "people",
            "sources": [source("converted", content), *others],
            "origin": {"package": package, "parts": [source("npm", b"weights")]},
        }
        manifest["models"].append(converted)
        self._manifest.write_text(json.dumps(manifest))
        return self.cache / f"{hashlib.sha256(content).hexdigest()[:16]}-boxes"

    def npm(self, content: bytes, *, name: str = f"package/{FILE}", link: str = "") -> None:
        """Put an npm on PATH that packs one file or link, and describe it in the manifest."""
        tarball = self.tools / "made-here-1.0.0.tgz"
        info = tarfile.TarInfo(name)
        info.size, info.linkname = len(content), link
        info.type = tarfile.SYMTYPE if link else tarfile.REGTYPE
        with tarfile.open(tarball, "w:gz") as archive:
            archive.addfile(info, io.BytesIO(content))
        self.failing_npm(f"/bin/cp {tarball} .")
        digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        sources = source("npm", NPM_BUILD), source("url", MODEL)
        self.describe(*sources, integrity=f"sha512-{digest}")

    def failing_npm(self, script: str) -> None:
        """Put an npm on PATH that runs this."""
        program = self.tools / "npm"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        self.describe(source("npm", NPM_BUILD), source("url", MODEL))

    def run(self, *arguments: str) -> int:
        """Run the program; returns its exit status."""
        folders = ["--target", str(self.target), "--cache", str(self.cache)]
        places = ["--manifest", str(self._manifest), "--base-url", self._address]
        return fetch_models.main([*folders, *places, *arguments])

    def files(self) -> list[Path]:
        """Every file in target and cache."""
        found = [*self.target.rglob("*"), *self.cache.rglob("*")]
        return [path for path in found if path.is_file()]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: Published) -> Machine:
    """A machine without npm."""
    machine = Machine(tmp_path, published.server_port)
    monkeypatch.setenv("PATH", str(machine.tools))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(model_sources, "RETRY_WAITS_SECONDS", (0.0, 0.0))
    return machine


def test_a_second_run_downloads_nothing(machine: Machine, published: Published) -> None:
    """A model in place is verified; a new environment's comes from the cache."""
    assert machine.run() == machine.run() == 0
    machine.model.unlink()
    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL
    assert published.requested == [f"/{FILE}"]


def test_a_wrong_checksum_is_refused(
    machine: Machine, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the file, what was tried and the way out; the former file is left."""
    machine.model.parent.mkdir(parents=True)
    machine.model.write_bytes(b"former")
    published.plan = [answer(MODEL[::-1])]

    assert machine.run() == 1

    said = capsys.readouterr().err
    hint = "MODEL_COMPLEXITY=1 needs no download"
    for part in (FILE, "wrong checksum", "no npm on PATH", hint):
        assert part in said
    assert machine.files() == [machine.model]
    assert machine.model.read_bytes() == b"former"


@pytest.mark.parametrize("place", ["target", "cache"])
def test_a_damaged_file_is_replaced(machine: Machine, place: str) -> None:
    """Neither a model in place nor a cached one is trusted."""
    machine.run()
    for path in machine.files():
        path.write_bytes(MODEL[:-1])
    if place == "cache":
        machine.model.unlink()

    assert machine.run() == 0

    assert machine.model.read_bytes() == MODEL


@pytest.mark.parametrize(
    ("plan", "requests", "reason"),
    [
        ([answer(code=503)], 2, ""),
        ([answer(MODEL[:1000], announced=len(MODEL))], 2, ""),
        ([answer(MODEL[:1000], announced=len(MODEL))] * 3, 3, "ended after 1000 of 1048576"),
        ([answer(code=429)] * 3, 3, "HTTP 429"),
        ([answer(code=404)], 1, "HTTP 404"),
        ([answer(b"<html>Please log in")], 1, "has 19 bytes instead of 1048576"),
    ],
)
def test_a_fault_that_may_pass_is_tried_again(
    machine: Machine,
    published: Published,
    capsys: pytest.CaptureFixture[str],
    plan: list[Answer],
    requests: int,
    reason: str,
) -> None:
    """A busy server and a partial download get two more tries, what is final gets none."""
    published.plan = list(plan)

    assert machine.run() == bool(reason)

    assert len(published.requested) == requests
    assert reason in capsys.readouterr().err
    assert bool(machine.files()) != bool(reason)


def test_a_redirect_away_from_tls_is_refused(
    machine: Machine,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A model that came over plain HTTP is not used."""
    monkeypatch.setattr(model_sources, "LOOPBACK", ("127.0.0.1",))
    published.plan = [answer(code=302, Location=f"http://localhost:{published.server_port}/")]

    assert machine.run() == 1

    assert "redirects to http://localhost" in capsys.readouterr().err
    assert machine.files() == []


def test_npm_comes_first(machine: Machine, published: Published) -> None:
    """Where there is an npm, its package has the model."""
    machine.npm(NPM_BUILD)

    assert machine.run() == 0

    assert machine.model.read_bytes() == NPM_BUILD
    assert published.requested == []


@pytest.mark.parametrize(
    "prepare",
    [
        lambda machine: machine.failing_npm("exit 1"),
        lambda machine: machine.failing_npm("echo garbage > made-here-1.0.0.tgz"),
        lambda machine: machine.npm(NPM_BUILD[::-1]),
        lambda machine: machine.npm(NPM_BUILD, name=f"package/../package/{FILE}"),
        lambda machine: machine.npm(b"", link=str(machine.tools / "npm")),
    ],
    ids=["failed", "other tarball", "other content", "climbing name", "link"],
)
def test_the_second_source_is_tried(machine: Machine, prepare: Callable[[Machine], None]) -> None:
    """An npm that fails or packs something else is passed over, and nothing of it is kept."""
    prepare(machine)

    assert machine.run() == 0

    assert {path.read_bytes() for path in machine.files()} == {MODEL}


def test_only_removes_the_other_models(machine: Machine) -> None:
    """An image has the one model that it runs."""
    machine.run("--complexity", "0", "2")

    assert machine.run("--complexity", "2", "--only") == 0

    assert machine.model.exists()
    assert not (machine.target / "lite").exists()


def test_models_for_several_people_come_from_the_cache(machine: Machine) -> None:
    """They are installed on request, without a conversion if a valid one is in the cache."""
    path = machine.describe_converted(NPM_BUILD)
    path.parent.mkdir()
    path.write_bytes(NPM_BUILD)

    assert machine.run("--only") == 0
    assert not (machine.target / "people").exists()

    assert machine.run("--only", "--people") == 0
    assert (machine.target / "people").read_bytes() == NPM_BUILD


def test_a_model_that_cannot_be_converted_can_be_brought(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the file, its checksum and the folder that it is looked for in."""
    path = machine.describe_converted(NPM_BUILD)
    monkeypatch.setattr(model_conversion, "REQUIREMENTS", machine.tools / "nowhere.txt")

    assert machine.run("--people") == 1

    said = capsys.readouterr().err
    assert "boxes (MAX_PEOPLE over 1) could not be downloaded" in said
    assert "conversion: " in said
    assert "nowhere.txt" in said
    assert hashlib.sha256(NPM_BUILD).hexdigest() in said
    assert f"{path.parent} as {path.name}" in said


def test_a_model_is_not_converted_to_the_bytes_of_another_processor(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is converted once; a file from another processor will do."""
    elsewhere = source("converted", MODEL) | {"machine": "m68k"}
    path = machine.describe_converted(NPM_BUILD, elsewhere)
    monkeypatch.setattr(model_conversion, "REQUIREMENTS", machine.tools / "nowhere.txt")

    assert machine.run("--people") == 1
    assert capsys.readouterr().err.count("conversion: ") == 1

    (path.parent / f"{elsewhere['sha256'][:16]}-boxes").write_bytes(MODEL)
    assert machine.run("--people") == 0
    assert (machine.target / "people").read_bytes() == MODEL


def test_an_address_without_tls_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """HTTP is for this machine only."""
    with pytest.raises(SystemExit):
        fetch_models.main(["--base-url", "http://models.example/"])

    assert "is not HTTPS" in capsys.readouterr().err


def test_the_manifest_describes_the_model_in_the_wheel() -> None:
    """The real manifest has a model for each complexity, of which the wheel has 1, and two more."""
    folder = fetch_models.package_folder()
    models = model_manifest.read_manifest(fetch_models.MANIFEST).models
    assert folder

    content = (folder / models[1].destination).read_bytes()

    assert [model.complexity for model in models] == [0, 1, 2, None, None]
    assert {(source.size, source.sha256) for source in models[1].sources} == {
        (len(content), hashlib.sha256(content).hexdigest())
    }


@pytest.fixture
def real(tmp_path: Path) -> Callable[..., set[str]]:
    """Run the program with the real manifest for the wheel's model; returns the files it leaves."""

    def run(*arguments: str) -> set[str]:
        places = ["--target", str(tmp_path), "--cache", str(tmp_path / "cache")]
        assert fetch_models.main(["--complexity", "1", *places, *arguments]) == 0
        return {path.name for path in tmp_path.rglob("*.tflite")}

    return run


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ([], {"pose_landmark_full.tflite", "pose_landmark_full_without_mask.tflite"}),
        (["--only"], {"pose_landmark_full_without_mask.tflite"}),
        (["--only", "--masks"], {"pose_landmark_full.tflite"}),
    ],
    ids=["default", "only", "masks"],
)
def test_a_copy_without_mask_branch_is_made(
    real: Callable[..., set[str]], arguments: list[str], kept: set[str]
) -> None:
    """An image keeps one of the two."""
    assert real() == {"pose_landmark_full.tflite", "pose_landmark_full_without_mask.tflite"}
    assert real(*arguments) == kept


def test_a_damaged_copy_is_made_again(
    real: Callable[..., set[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its checksum is in the manifest, too."""
    real()
    copy = next(tmp_path.rglob("*_without_mask.tflite"))
    content = copy.read_bytes()
    copy.write_bytes(content[::-1])
    capsys.readouterr()

    real()

    assert copy.read_bytes() == content
    assert "pose_landmark_full_without_mask.tflite: made from" in capsys.readouterr().out


def test_a_build_without_a_known_copy_stays_whole(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy of another build is removed, so that the worker does not use it."""
    copy = machine.model.with_stem(f"{machine.model.stem}_without_mask")
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"of another build")

    assert machine.run("--only") == 0

    assert machine.model.read_bytes() == MODEL
    assert not copy.exists()
    assert "keeps its mask branch" in capsys.readouterr().out


def test_a_model_with_other_outputs_is_not_cut() -> None:
    """A face model has no mask branch."""
    folder = fetch_models.package_folder()
    assert folder
    with pytest.raises(ValueError, match="a pose model has 5 outputs, not 2"):
        model_cut.without_mask_branch(
            (folder / "modules/face_landmark/face_landmark.tflite").read_bytes()
        )
