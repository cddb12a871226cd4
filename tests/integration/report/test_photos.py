"""The photos in a report: only what was processed, upright and small."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from landmarks.errors import DetectorStartError, NotAnImageError
from landmarks.report import thumbnails as photos
from tests.fakes import Cloud, Version, nobody, person, seen_nobody, seen_person
from tests.integration.report.album import Album
from tests.integration.report.conftest import Report
from tests.pictures import ORIENTATION, encode


def test_a_photo_is_embedded_small(album: Album, report: Report) -> None:
    """At most 640 pixels on the longer side; smaller ones keep their size."""
    large = encode(Image.new("RGB", (1000, 1500), (200, 90, 60)), "JPEG")
    album.add("large.jpg", version=album.photo("large.jpg", large))
    album.add("small.png", seen_nobody(), version=album.photo("small.png", nobody()))

    page = report()

    assert page.keys == ["large.jpg", "small.png"]
    assert page.picture(0).size == (427, 640)
    assert page.picture(1).size == (96, 64)
    assert set(page.photos.values()) == {"embedded"}


def test_a_turned_photo_is_upright(album: Album, report: Report) -> None:
    """By its EXIF orientation, the left side of the file is the top."""
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, :48] = (255, 0, 0)
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned to the right
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", exif=exif, quality=95)
    album.add("turned.jpg", version=album.photo("turned.jpg", file.getvalue()))

    picture = report().picture(0).convert("RGB")

    assert picture.size == (64, 96)
    red, black = picture.getpixel((32, 20)), picture.getpixel((32, 76))
    assert isinstance(red, tuple)
    assert isinstance(black, tuple)
    assert red[0] > 200
    assert black[0] < 50


def test_a_photo_that_has_changed_is_not_shown(album: Album, report: Report) -> None:
    """Landmarks are never drawn on another photo; they are shown without it."""
    processed = album.photo("a.jpg", person())
    album.photo("a.jpg", nobody())
    album.add("a.jpg", version=processed)

    page = report()

    assert page.photos == {"a.jpg": "changed"}
    assert page.content(0)["photo"] is None
    assert "face" in page.content(0)["landmarks"]


def test_the_processed_version_is_shown(cloud: Cloud, album: Album, report: Report) -> None:
    """In a versioned bucket, also after a new upload."""
    cloud.keep_versions()
    processed = album.photo("a.png", nobody(10))
    album.photo("a.png", encode(Image.new("RGB", (20, 30)), "PNG"))
    album.add("a.png", version=processed)

    page = report()

    assert page.photos == {"a.png": "embedded"}
    assert page.picture(0).size == (96, 64)


def test_missing_photos_are_no_error(album: Album, report: Report) -> None:
    """Deleted, in a missing bucket, unreadable: each is marked, the rest is shown."""
    album.add("gone.jpg")
    album.add("no bucket.jpg", bucket="no-such-bucket")
    album.add("odd.jpg", version=album.photo("odd.jpg", b"\xff\xd8\xff no image"))
    album.add("whole.png", version=album.photo("whole.png", nobody()))

    assert report().photos == {
        "gone.jpg": "gone",
        "no bucket.jpg": "gone",
        "odd.jpg": "unreadable",
        "whole.png": "embedded",
    }


def test_files_the_worker_refused_are_not_decoded(album: Album, report: Report) -> None:
    """A file that the worker could not decode is not tried again."""
    album.add("bad.png", NotAnImageError("no"), version=album.photo("bad.png", nobody()))

    page = report()

    assert page.photos == {"bad.png": "refused"}
    assert page.content(0)["photo"] is None


def test_a_machine_that_decodes_nothing_is_an_error(
    album: Album, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report without any photo would look as if S3 had failed."""

    def fail(*_: object) -> None:
        raise DetectorStartError("no detector started: why")

    album.add("a.png", version=album.photo("a.png", nobody()))
    monkeypatch.setattr("landmarks.photograph.PhotoDecoder.decode", fail)

    with pytest.raises(DetectorStartError, match="why"):
        report()


def test_a_large_file_is_not_read(
    album: Album, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Larger than the limit, it is left out."""
    monkeypatch.setattr(photos, "MAX_BYTES", 1000)
    album.add("large.jpg", version=album.photo("large.jpg", person()))

    assert report().photos == {"large.jpg": "too_large"}


def test_each_result_has_its_own_photo(album: Album, report: Report) -> None:
    """In whatever order the downloads finish."""
    for number in range(40):
        picture = Image.new("RGB", (100 + number, 100), (number, 0, 0))
        version = album.photo(f"{number:02}.png", encode(picture, "PNG"))
        album.add(f"{number:02}.png", seen_person(), version=version)

    page = report()

    assert [page.picture(number).width for number in range(40)] == list(range(100, 140))


def test_without_photos_nothing_is_asked_of_s3(album: Album, report: Report) -> None:
    """Results are shown on a plain background, and marked as left out."""
    album.add("a.jpg", version=Version("feed", None))

    assert report(with_photos=False).photos == {"a.jpg": "left_out"}
