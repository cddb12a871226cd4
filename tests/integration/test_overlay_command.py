"""`landmarks overlay`: the drawing, and when there is none."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from landmarks.cli.main import landmarks
from landmarks.drawing.colours import LEFT, OTHERS, RIGHT
from landmarks.errors import CorruptImageError
from tests.fakes import Cloud, nobody, person, seen_nobody, seen_people, seen_person
from tests.pictures import encode, exif
from tests.results import save_result
from worker.result import Detection

KEY = "fotos/été 1+1.jpg"


def run(cloud: Cloud, *arguments: str) -> Result:
    """Run the command with the stack's settings."""
    return CliRunner().invoke(landmarks, ["overlay", *arguments], env=cloud.stack.environment)


def processed(cloud: Cloud, content: bytes) -> None:
    """Upload a photograph and store a result for it."""
    version = cloud.put(KEY, content)
    detection = Detection(seen_person().landmarks, 512, 512, "jpeg")
    save_result(cloud, KEY, detection, version=version, size_bytes=len(content))


def drawn(cloud: Cloud, file: Path, *arguments: str) -> Image.Image:
    """Return the drawing that the command writes."""
    result = run(cloud, KEY, "-o", str(file), *arguments)
    assert result.exit_code == 0, result.output
    with Image.open(file, formats=("PNG",)) as picture:
        picture.load()
        return picture


def refusal(cloud: Cloud, folder: Path, *arguments: str, status: int = 1) -> str:
    """Return the error line; no file is left."""
    result = run(cloud, KEY, "-o", str(folder / "a.png"), *arguments)
    assert result.exit_code == status, result.output
    assert not (folder / "a.png").exists()
    assert not (folder / "a.png.part").exists()
    (line,) = result.stderr.splitlines()
    return line


def test_landmarks_are_drawn_on_the_object(cloud: Cloud, tmp_path: Path) -> None:
    """Both sides' colours appear in a PNG titled with the key."""
    processed(cloud, person())

    picture = drawn(cloud, tmp_path / "a.png")

    assert picture.info["Title"] == KEY
    assert picture.size == (1280, 1280)
    pixels = np.asarray(picture)
    for colour in (LEFT, RIGHT):
        assert (pixels == colour).all(axis=2).sum() > 100


def test_everyone_is_drawn_and_boxes_are_on_request(cloud: Cloud, tmp_path: Path) -> None:
    """Each other person in one colour; the boxes have it, too."""
    content = person()
    detection = replace(seen_people(2), width=512, height=512)
    version = cloud.put(KEY, content)
    save_result(cloud, KEY, detection, version=version, size_bytes=len(content), max_people=2)

    plain = np.asarray(drawn(cloud, tmp_path / "a.png")).astype(int)
    boxed = np.asarray(drawn(cloud, tmp_path / "b.png", "--boxes")).astype(int)

    for colour in (LEFT, RIGHT, OTHERS[0]):
        assert (plain == colour).all(axis=2).sum() > 100
    for colour in (LEFT, OTHERS[0]):
        more = (boxed == colour).all(axis=2).sum() - (plain == colour).all(axis=2).sum()
        assert more > 100


def test_the_version_that_was_processed_is_drawn_on(cloud: Cloud, tmp_path: Path) -> None:
    """The processed version is used, whatever the current one is."""
    cloud.keep_versions()
    processed(cloud, person())
    (tmp_path / "copy.jpg").write_bytes(person())
    cloud.put(KEY, nobody())

    picture = drawn(cloud, tmp_path / "a.png")

    copy = drawn(cloud, tmp_path / "b.png", "--image", str(tmp_path / "copy.jpg"))
    assert picture.tobytes() == copy.tobytes()


def test_a_turned_photograph_is_drawn_on_upright(cloud: Cloud, tmp_path: Path) -> None:
    """The EXIF orientation is applied first, because landmarks are upright."""
    with Image.open(BytesIO(person())) as stored:
        lying = stored.transpose(Image.Transpose.ROTATE_90)
    processed(cloud, encode(lying, "JPEG", quality=95, exif=exif(6)))  # to be turned right

    turned = np.asarray(drawn(cloud, tmp_path / "a.png")).astype(int)

    processed(cloud, person())
    assert np.abs(turned - np.asarray(drawn(cloud, tmp_path / "b.png"))).mean() < 3


def test_a_changed_photograph_is_not_drawn_on(cloud: Cloud, tmp_path: Path) -> None:
    """A changed photograph is an error with advice."""
    processed(cloud, person())
    cloud.put(KEY, nobody())

    line = refusal(cloud, tmp_path)

    assert "has changed since it was processed" in line
    assert f"landmarks enqueue 's3://{cloud.stack.bucket}/{KEY}'" in line


def test_an_object_that_is_gone_is_an_error(cloud: Cloud, tmp_path: Path) -> None:
    """The error suggests using a local file."""
    processed(cloud, person())
    cloud.remove(KEY)

    assert "no longer exists: draw on a copy" in refusal(cloud, tmp_path)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (seen_nobody(), "not_detected"),
        (CorruptImageError("\x1bcut short"), "failed (CORRUPT_IMAGE:  cut short)"),
    ],
)
def test_without_landmarks_there_is_nothing_to_draw(
    cloud: Cloud, tmp_path: Path, outcome: Detection | CorruptImageError, words: str
) -> None:
    """The reason is printed, and S3 is not read."""
    save_result(cloud, KEY, outcome)

    assert refusal(cloud, tmp_path).endswith(words)


def test_a_copy_of_another_size_is_questioned(cloud: Cloud, tmp_path: Path) -> None:
    """A file of another size is used, with a warning."""
    processed(cloud, person())
    copy = tmp_path / "copy.png"
    copy.write_bytes(nobody())

    result = run(cloud, KEY, "-o", str(tmp_path / "a.png"), "--image", str(copy))

    assert result.exit_code == 0
    assert "the landmarks may not match" in result.stderr


def test_a_copy_that_is_no_image_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    """The error is one line, and an existing drawing stays."""
    processed(cloud, person())
    copy, older = tmp_path / "copy.jpg", tmp_path / "older.png"
    copy.write_bytes(b"Milk".ljust(len(person())))
    older.write_text("older")

    assert "can't read it: not an image" in refusal(cloud, tmp_path, "--image", str(copy))
    run(cloud, KEY, "-o", str(older), "--image", str(copy))
    assert older.read_text() == "older"


def test_too_large_photographs_are_refused(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit applies to S3 and to files."""
    processed(cloud, person())
    (tmp_path / "copy.jpg").write_bytes(person())
    monkeypatch.setattr("landmarks.cli.overlay.MAX_BYTES", len(person()) - 1)

    words = f"{len(person())} bytes, more than the {len(person()) - 1} allowed"
    assert refusal(cloud, tmp_path).endswith(words)
    assert refusal(cloud, tmp_path, "--image", str(tmp_path / "copy.jpg")).endswith(words)


def test_other_files_than_png_are_a_usage_error(cloud: Cloud, tmp_path: Path) -> None:
    """Other suffixes, and the photograph itself, exit with 2 before anything is read."""
    photo = tmp_path / "photo.png"
    photo.write_bytes(nobody())

    as_jpeg = run(cloud, KEY, "-o", str(tmp_path / "a.jpg"))
    onto_itself = run(cloud, KEY, "-o", str(photo), "--image", str(photo))

    assert (as_jpeg.exit_code, onto_itself.exit_code) == (2, 2)
    assert "ends in .png" in as_jpeg.stderr
    assert photo.read_bytes() == nobody()
