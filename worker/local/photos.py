"""What the demo uploads: its own samples, or the pictures of a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from worker.errors import LandmarkError
from worker.local.envelopes import (
    Envelope,
    direct_message,
    eventbridge_event,
    s3_notification,
    sns_notification,
)

# Whatever calls itself an image, so that the worker says what it thinks of it.
IMAGE_SUFFIXES: Final = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"),
        *(".gif", ".bmp", ".tif", ".tiff", ".jp2", ".jxl", ".heic", ".heif", ".avif"),
    }
)
_MAX_KEY_BYTES: Final = 1024  # S3's limit, in UTF-8

_NO_IMAGE: Final = b"Milk, bread, two rolls of film\n"


class NoPhotosError(LandmarkError):
    """Raised when a folder has nothing for the demo."""

    code = "NO_PHOTOS"


@dataclass(frozen=True, slots=True)
class Photo:
    """A file to upload.

    Attributes:
        key: what it will be called in the bucket.
        source: the file, or its content.
        envelopes: one for every message that asks for it.
    """

    key: str
    source: Path | bytes
    envelopes: tuple[Envelope, ...] = (direct_message,)

    def read(self) -> bytes:
        """The file's content."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one run of the demo does.

    Attributes:
        photos: to upload and to ask for.
        strays: bodies of further messages.
        left_out: how many files of the folder are not among the photos.
    """

    photos: Sequence[Photo]
    strays: Sequence[str] = ()
    left_out: int = 0

    @property
    def messages(self) -> int:
        """How many messages it sends."""
        return len(self.strays) + sum(len(photo.envelopes) for photo in self.photos)


def samples() -> Assignment:
    """Scikit-image's pictures with and without a person, what is no image, and a stray message.

    Each comes through another door of the queue; the astronaut comes twice.
    """
    pictures = Path(str(files("skimage") / "data"))
    return Assignment(
        photos=(
            Photo("astronaut.png", pictures / "astronaut.png", (direct_message, direct_message)),
            Photo("rocket.jpg", pictures / "rocket.jpg", (eventbridge_event,)),
            Photo("photos/Zürich 1+1/caméra.png", pictures / "camera.png", (s3_notification,)),
            Photo("shopping list.jpg", _NO_IMAGE, (sns_notification,)),
        ),
        strays=('{"photo": "rocket.jpg"}',),
    )


def folder_photos(folder: Path, *, except_below: Path) -> Assignment:
    """The pictures in a folder and below, known by the ending of their names.

    Hidden files and folders don't count, nor does the folder that the demo
    itself writes pictures to. Keys are paths relative to the folder.

    Raises:
        NoPhotosError: there is none.
    """
    photos, left_out = [], 0
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if hidden or not path.is_file() or path.resolve().is_relative_to(except_below.resolve()):
            continue
        if path.suffix.lower() in IMAGE_SUFFIXES and _is_key(relative.as_posix()):
            photos.append(Photo(relative.as_posix(), path))
        else:
            left_out += 1
    if not photos:
        others = f"; files of other kinds: {left_out}" if left_out else ""
        raise NoPhotosError(f"{folder} has no pictures (*.jpg, *.png, *.webp, ...){others}")
    return Assignment(photos, left_out=left_out)


def _is_key(text: str) -> bool:
    """Whether it can be a key: a file's name may be longer, or no text at all."""
    try:
        # S3 would take a line feed, the embedded one doesn't.
        return len(text.encode()) <= _MAX_KEY_BYTES and "\n" not in text
    except UnicodeEncodeError:
        return False
