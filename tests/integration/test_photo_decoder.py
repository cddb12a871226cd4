"""Photographs for drawings are decoded in confined processes, by OpenCV or else by Pillow.

The processes are real. To make one crash or hang, tests replace its decoder; to test invalid
answers, a script replaces the process.
"""

import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from landmarks.errors import DetectorStartError, UnsupportedFormatError
from landmarks.photograph import PhotoDecoder, UnreadablePhotographError
from tests import heif_files, photos, pictures
from tests.fakes import Cloud, person, seen_person
from tests.integration.test_confinement import status_of
from tests.integration.test_detector_faults import PRELUDE, children, state_of
from tests.pictures import corners, encode, exif, photo, read_with_pillow
from tests.results import save_result
from worker.detector.formats.isobmff import HEIF_MAGIC
from worker.detector.pillow import decode_pixels
from worker.detector.protocol import Kind, frame
from worker.result import Detection

ROOT = Path(__file__).parents[2]

# All Pythons import `sitecustomize`, including decoding processes. This one's packages of the
# `worker` extra can't be imported.
WITHOUT_EXTRA = """
import sys

sys.modules.update(dict.fromkeys(("cv2", "mediapipe", "aws_lambda_powertools", "_pi_heif")))
"""

# As if on another system than Linux.
ELSEWHERE = """
import ctypes
import fcntl
import resource
import types

sys.platform = "freebsd14"
ctypes.CDLL = lambda *_, **__: types.SimpleNamespace()
del fcntl.F_SETPIPE_SZ, resource.RLIMIT_AS
"""

# Decodes everything but the fatal files, whose content says what happens.
FATAL = """
import os
import signal
import time

from worker.detector import decode

really_decode = decode.decode_image


def decode_image(content, **limits):
    if content == b"crash":
        signal.raise_signal(signal.SIGSEGV)
    if content == b"hang":
        time.sleep(600)
    return really_decode(content, **limits)


decode.decode_image = decode_image
"""


def customize(folder: Path, code: str, patch: pytest.MonkeyPatch) -> None:
    """Have all Pythons started from now on run this code first."""
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{folder}", prepend=os.pathsep)


@pytest.fixture(scope="module", params=["opencv", "pillow"])
def decoder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PhotoDecoder]:
    """Decodes to 256 pixels, with and without the `worker` extra."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "well-kept")
        if request.param == "pillow":
            customize(tmp_path_factory.mktemp("bare"), WITHOUT_EXTRA, patch)
        started = PhotoDecoder(256, processes=2)
    with started as decoder:
        yield decoder


@pytest.fixture
def fragile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoDecoder]:
    """Decodes in one process, which obeys the fatal files; has two seconds for each."""
    customize(tmp_path, FATAL, monkeypatch)
    monkeypatch.setattr("landmarks.photograph._DECODE_SECONDS", 2)
    with PhotoDecoder(256) as decoder:
        yield decoder


def pids(decoder: PhotoDecoder) -> list[int]:
    """Return the ids of a decoder's processes."""
    return decoder._processes.pids


def assert_works(decoder: PhotoDecoder) -> None:
    """Check that a decoder still decodes."""
    assert decoder.decode(photo("PNG")).tobytes() == corners().tobytes()


class TestPictures:
    """What comes of a sound file, with either decoder."""

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
    def test_is_upright(self, decoder: PhotoDecoder, kind: str, orientation: int) -> None:
        """The EXIF orientation is applied: each corner has its own colour."""
        content = photo(kind, exif=exif(orientation))

        picture = decoder.decode(content)

        expected = read_with_pillow(content)
        assert picture.mode == "RGB"
        assert picture.size == expected.shape[1::-1]
        for x, y in [(10, 10), (-10, 10), (10, -10), (-10, -10)]:
            colour = np.asarray(picture)[y, x].astype(int)
            assert np.abs(colour - expected[y, x]).max() < 12

    def test_is_upright_by_the_workers_rule(self, decoder: PhotoDecoder) -> None:
        """OpenCV itself ignores this EXIF data, and overlays would be drawn beside the person."""
        metadata = (b"EXIF", b"Exif\0\0" + pictures.tiff(6))
        frame = pictures.webp_frame(photo("WEBP", lossless=True))
        content = pictures.webp(pictures.webp_canvas(96, 64, flags=8), frame, metadata)

        expected = corners().transpose(Image.Transpose.ROTATE_270)
        assert decoder.decode(content).tobytes() == expected.tobytes()

    @pytest.mark.parametrize(
        ("stored", "returned"),
        [
            ((256, 100), (256, 100)),
            ((257, 100), (256, 100)),
            ((1024, 768), (256, 192)),
            ((500, 3000), (43, 256)),
            ((3000, 1), (256, 1)),
        ],
    )
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    def test_is_scaled_down(
        self, decoder: PhotoDecoder, stored: tuple[int, int], returned: tuple[int, int], kind: str
    ) -> None:
        """The longer side is at most what was asked for; smaller pictures keep their size."""
        picture = decoder.decode(encode(corners(*stored), kind))

        assert picture.size == returned

    @pytest.mark.parametrize(
        "content", [file for file in pictures.specimens() if not HEIF_MAGIC.match(file)]
    )
    def test_every_kind_of_file_is_read(self, decoder: PhotoDecoder, content: bytes) -> None:
        """Under the system call filter, no decoder lacks a file or a module."""
        assert decoder.decode(content).size == read_with_pillow(content).shape[1::-1]

    @pytest.mark.parametrize("missing", [(), ("cv2", "mediapipe")])
    def test_heif_needs_only_its_own_decoder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...]
    ) -> None:
        """It is loaded by the first such file, with and without OpenCV."""
        hide = f"import sys; sys.modules.update(dict.fromkeys({missing}))"
        customize(tmp_path, hide, monkeypatch)
        with PhotoDecoder(256) as decoder:
            picture = decoder.decode(heif_files.sample())

        expected = np.asarray(corners()).astype(int)
        assert np.abs(np.asarray(picture) - expected).mean() < 3

    def test_sixteen_bits_of_grey_stay_grey(self, decoder: PhotoDecoder) -> None:
        """A 16-bit picture has the same brightness."""
        content = pictures.png_16_bit(np.full((80, 80), 90 * 257, np.uint16))

        assert set(decoder.decode(content).get_flattened_data()) == {(90, 90, 90)}

    def test_several_at_once_are_not_confused(self, decoder: PhotoDecoder) -> None:
        """Each thread gets its own picture, and the processes are reused."""
        before = pids(decoder)
        shades = range(0, 250, 5)
        files = [encode(Image.new("RGB", (64, 64), (shade, 0, 0)), "PNG") for shade in shades]
        with ThreadPoolExecutor(8) as threads:
            found = [picture.getpixel((0, 0)) for picture in threads.map(decoder.decode, files)]

        assert found == [(shade, 0, 0) for shade in shades]
        assert pids(decoder) == before


class TestRefusals:
    """What can't be decoded, with either decoder."""

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            pytest.param(b"Milk, bread", "not an image", id="text"),
            pytest.param(b"", "empty", id="empty"),
            pytest.param(photo("PNG")[:100], "can't read it: ", id="half a PNG"),
            pytest.param(photo("WEBP")[:-9], "can't read it: ", id="half a WebP"),
            pytest.param(pictures.png(width=16384, height=16384), "MAX_IMAGE_PIXELS", id="bomb"),
            pytest.param(b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000", id="JPEG 2000"),
        ],
    )
    def test_the_reason_is_the_workers(
        self, decoder: PhotoDecoder, content: bytes, reason: str
    ) -> None:
        """A refused file costs no process."""
        before = pids(decoder)

        with pytest.raises(UnreadablePhotographError, match=reason):
            decoder.decode(content)

        assert_works(decoder)
        assert pids(decoder) == before

    def test_what_memory_is_too_small_for_is_refused_before_decoding(self) -> None:
        """A picture within MAX_IMAGE_PIXELS that can't fit costs no process."""
        with PhotoDecoder(256) as decoder:
            before = pids(decoder)
            with pytest.raises(UnreadablePhotographError, match="has memory for"):
                decoder.decode(pictures.png(width=16_000, height=15_000))
            assert pids(decoder) == before

    def test_a_missing_decoder_is_named_with_its_extra(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where Pillow lacks a format of the worker's, the error says what to install."""
        monkeypatch.setattr(Image, "ID", ["PNG"])

        with pytest.raises(UnsupportedFormatError, match=r"webp .*pip install '\.\[worker\]'"):
            decode_pixels(photo("WEBP"), max_pixels=10_000, max_side=96)

    def test_the_missing_heif_decoder_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A machine that only draws may lack it."""
        customize(tmp_path, WITHOUT_EXTRA, monkeypatch)
        with (
            PhotoDecoder(256) as decoder,
            pytest.raises(UnreadablePhotographError, match="pip install pi-heif"),
        ):
            decoder.decode(heif_files.sample())

    def test_too_much_memory_is_an_error_of_that_photo(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A photo within the limits that needs more memory than allowed costs only itself."""
        monkeypatch.setattr("landmarks.photograph._DECODE_BYTES", 448 << 20)
        with PhotoDecoder(256) as decoder:
            with pytest.raises(UnreadablePhotographError, match="448 MiB allowed"):
                decoder.decode(photos.greedy().content)
            assert_works(decoder)


class TestConfinement:
    """What a process that has decoded a photo has and lacks, with either decoder."""

    def test_it_is_under_the_detectors_limits(self, decoder: PhotoDecoder) -> None:
        """Its system calls are filtered, its memory is limited, and it knows no secrets."""
        for _ in pids(decoder):  # each in turn, so that both are ready
            assert_works(decoder)
        for process in (Path(f"/proc/{pid}") for pid in pids(decoder)):
            status = status_of(process)
            assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
            limits = (process / "limits").read_text(encoding="ascii")
            assert f"Max address space         {1536 << 20} " in limits
            assert b"well-kept" not in (process / "environ").read_bytes()

    def test_it_loads_no_mediapipe(self, decoder: PhotoDecoder) -> None:
        """Decoding needs no models, which take most of a detector's memory and start."""
        assert_works(decoder)
        for pid in pids(decoder):
            assert "mediapipe" not in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")

    def test_its_parent_is_hidden(self) -> None:
        """Processes of the same user can't read the credentials of the command."""
        script = """
import ctypes
from landmarks.photograph import PhotoDecoder

with PhotoDecoder(64):
    print(ctypes.CDLL(None).prctl(3))  # PR_GET_DUMPABLE
"""
        ran = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert ran.stdout == "0\n"


class TestFaults:
    """A process that fails."""

    @pytest.mark.parametrize(
        ("content", "reason"), [(b"crash", "killed by SIGSEGV"), (b"hang", "longer than 2 s")]
    )
    def test_it_is_replaced(self, fragile: PhotoDecoder, content: bytes, reason: str) -> None:
        """After two tries the photo is unreadable; the next one is decoded."""
        assert_works(fragile)
        (first,) = pids(fragile)

        with pytest.raises(UnreadablePhotographError, match=reason):
            fragile.decode(content)

        assert state_of(first) == ""
        assert_works(fragile)

    def test_nothing_is_printed(
        self, fragile: PhotoDecoder, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """The commands say it in their own words."""
        with pytest.raises(UnreadablePhotographError):
            fragile.decode(b"crash")
        assert capfd.readouterr() == ("", "")

    def test_it_leaves_nothing_behind(self) -> None:
        """At the end of the block, the processes have ended, ready or not."""
        before = children()
        with PhotoDecoder(256, processes=2):
            assert len(children() - before) == 2
        assert children() == before


def test_outside_linux_it_decodes_with_what_limits_there_are(tmp_path: Path) -> None:
    """Without Linux's calls, whose attempt would be an error, pictures are decoded all the same."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_EXTRA + ELSEWHERE, encoding="utf-8")
    script = """
import sys
from landmarks.photograph import PhotoDecoder

with PhotoDecoder(256) as decoder:
    print(decoder.decode(sys.stdin.buffer.read()).size)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        input=photo("PNG"),
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, b"(96, 64)\n"), ran.stderr


def answer(width: int, height: int, length: int) -> bytes:
    """Return a PICTURE frame that claims a size, with this many bytes of pixels."""
    return frame(Kind.PICTURE, struct.pack("<II", width, height) + bytes(length))


@pytest.fixture
def impostors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], PhotoDecoder]]:
    """Return a function that builds a decoder of 256 pixels, whose process is the test's script."""
    built: list[PhotoDecoder] = []

    def build(program: str) -> PhotoDecoder:
        script, python = tmp_path / "impostor.py", tmp_path / "python"
        script.write_text(PRELUDE + program, encoding="utf-8")
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{script}"\n', encoding="utf-8")
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
        built.append(PhotoDecoder(256))
        return built[-1]

    yield build
    for decoder in built:
        decoder.__exit__()


class TestAnswers:
    """What a process that was taken over may send."""

    def test_a_sound_one_is_believed(self, impostors: Callable[[str], PhotoDecoder]) -> None:
        """So the others are rejected for what they say."""
        said = answer(256, 2, 3 * 512)
        decoder = impostors(f"say(READY); read_image(); say({said!r}); time.sleep(600)")
        assert decoder.decode(person()).size == (256, 2)

    @pytest.mark.parametrize(
        "said",
        [
            pytest.param(answer(0, 0, 0), id="no pixels"),
            pytest.param(answer(0, 256, 0), id="no width"),
            pytest.param(answer(257, 1, 3 * 257), id="too wide"),
            pytest.param(answer(1, 257, 3 * 257), id="too high"),
            pytest.param(answer(2, 2, 11), id="a byte too few"),
            pytest.param(answer(2, 2, 13), id="a byte too many"),
            pytest.param(answer(2**31, 2**31, 0), id="huge"),
            pytest.param(frame(Kind.PICTURE, b"\1\0\0\0"), id="no height"),
            pytest.param(frame(Kind.PICTURE), id="empty"),
            pytest.param(struct.pack("<IB", 2**32 - 1, Kind.PICTURE), id="huge length"),
            pytest.param(struct.pack("<IB", 300_000, Kind.PICTURE), id="longer than any picture"),
            pytest.param(frame(Kind.DETECTION, bytes(14)), id="a detection"),
            pytest.param(frame(Kind.FAILURE, b"ACCESS_DENIED\nno"), id="an error of the parent's"),
            pytest.param(b"Traceback (most recent call last):\n", id="text"),
        ],
    )
    def test_an_invalid_one_is_refused(
        self, impostors: Callable[[str], PhotoDecoder], said: bytes
    ) -> None:
        """Both tries fail, and the photo is unreadable."""
        decoder = impostors(f"say(READY); read_image(); say({said!r}); time.sleep(600)")
        with pytest.raises(UnreadablePhotographError, match="the detector sent"):
            decoder.decode(person())

    def test_processes_that_do_not_start_are_not_the_photos_fault(
        self, impostors: Callable[[str], PhotoDecoder]
    ) -> None:
        """The error says why."""
        decoder = impostors("raise SystemExit('no libraries')")
        with pytest.raises(DetectorStartError, match="no libraries"):
            decoder.decode(person())


def test_a_command_without_the_extra_draws_too(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the command nor its process imports anything of the `worker` extra."""
    version = cloud.put("a.jpg", person())
    detection = Detection(seen_person().landmarks, 512, 512, "jpeg")
    save_result(cloud, "a.jpg", detection, version=version, size_bytes=len(person()))
    customize(tmp_path, WITHOUT_EXTRA, monkeypatch)

    ran = subprocess.run(
        [sys.executable, "-m", "landmarks", "overlay", "a.jpg", "-o", str(tmp_path / "a.png")],
        env={**os.environ, **cloud.stack.environment},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    with Image.open(tmp_path / "a.png", formats=("PNG",)) as drawing:
        assert drawing.size == (1280, 1280)
