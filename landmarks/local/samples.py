"""What the demo uploads: its own samples, or the pictures of a folder."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

from landmarks.errors import LandmarkError

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
class UploadedObject:
    """What a producer knows about an object.

    Attributes:
        bucket: name of its bucket.
        key: literal.
        etag: without quotes.
        size_bytes: of its content.
    """

    bucket: str
    key: str
    etag: str
    size_bytes: int


# An object → the body of a message that asks for its landmarks.
Envelope = Callable[[UploadedObject], str]


def direct_message(uploaded: UploadedObject) -> str:
    """The worker's own form; the bucket is the one of its settings."""
    return json.dumps({"key": uploaded.key})


def s3_notification(uploaded: UploadedObject) -> str:
    """What a bucket sends to a queue: keys form-encoded."""
    return json.dumps(_notification(uploaded))


def sns_notification(uploaded: UploadedObject) -> str:
    """What a bucket sends through a topic."""
    message = json.dumps(_notification(uploaded))
    return json.dumps(
        {"Type": "Notification", "Subject": "Amazon S3 Notification", "Message": message}
    )


def eventbridge_event(uploaded: UploadedObject) -> str:
    """What a bucket sends through EventBridge: keys literal."""
    return json.dumps(
        {
            "version": "0",
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {
                "bucket": {"name": uploaded.bucket},
                "object": {
                    "key": uploaded.key,
                    "size": uploaded.size_bytes,
                    "etag": uploaded.etag,
                    "sequencer": _sequencer(),
                },
            },
        }
    )


def _notification(uploaded: UploadedObject) -> Mapping[str, Any]:
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": uploaded.bucket},
                    "object": {
                        "key": quote_plus(uploaded.key, safe="/"),
                        "size": uploaded.size_bytes,
                        "eTag": uploaded.etag,
                        "sequencer": _sequencer(),
                    },
                },
            }
        ]
    }


def _sequencer() -> str:
    """As S3's: hexadecimal, later ones larger."""
    return f"{time.time_ns():018X}"


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
