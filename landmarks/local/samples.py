"""Photographs for the demo and the local stack, and messages that ask for their landmarks."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

from PIL import Image

from landmarks.cli.enqueue.messages import Jobs, Message
from landmarks.cli.enqueue.sources import Entry, FileSource
from landmarks.cli.options import Place
from landmarks.errors import LandmarkError
from landmarks.job import IMAGE_SUFFIXES

# The demo's stack, as `create_stack` names it.
DEMO: Final = "demo"
_BUCKET: Final = f"{DEMO}-images"

# The keys that the events in infra-sam/events name.
SAMPLE_KEYS: Final = ("photos/astronaut.jpg", "photos/café 1+1.jpg")

# Formats that the worker can't read are among them: it says so itself.
_SUFFIXES: Final = (*IMAGE_SUFFIXES, ".jp2", ".jxl")
_SEQUENCER: Final = "0055AED6DCD90281E5"
_MAX_KEY_BYTES: Final = 1024  # S3's limit
_SHOPPING_LIST: Final = b"Milk, bread, two rolls of film\n"


class NoPhotosError(LandmarkError):
    """Raised when a folder has no photographs."""

    code = "NO_PHOTOS"


def sample_photos() -> Mapping[str, bytes]:
    """scikit-image's astronaut as a JPEG, under the keys of the sample events."""
    file = BytesIO()
    with Image.open(_pictures() / "astronaut.png") as picture:
        picture.convert("RGB").save(file, "JPEG")
    return dict.fromkeys(SAMPLE_KEYS, file.getvalue())


def sample_messages(folder: Path) -> list[Message]:
    """Every form of message once, the direct one twice, and one that is unreadable.

    Two photographs show a person, one nobody, and one is not an image: it is made in `folder`.
    """
    shopping_list = folder / "shopping list.jpg"
    shopping_list.write_bytes(_SHOPPING_LIST)
    astronaut = _message(_direct, "astronaut.png", _pictures() / "astronaut.png")
    return [
        astronaut,
        Message(astronaut.body),
        _message(_eventbridge, "rocket.jpg", _pictures() / "rocket.jpg"),
        _message(_s3, "photos/Zürich 1+1/caméra.png", _pictures() / "camera.png"),
        _message(_sns, shopping_list.name, shopping_list),
        Message('{"photo": "rocket.jpg"}'),
    ]


def folder_messages(folder: Path, *, output: Path) -> tuple[list[Message], int]:
    """Direct messages for a folder's photographs, subfolders included, known by their suffixes.

    Keys are paths relative to the folder.

    Args:
        folder: hidden files and folders in it are ignored.
        output: another folder to ignore, because the demo writes pictures there.

    Returns:
        The messages, and how many other files there are.

    Raises:
        NoPhotosError: there is no photograph.
    """
    source = _Folder(FileSource(folder, Place(_BUCKET, "")), output.resolve())
    batches = list(Jobs([source], _SUFFIXES).batches())
    messages = [message for batch in batches for message in batch.messages]
    others = sum(batch.skipped + len(batch.unsent) for batch in batches)
    if not messages:
        found = f"; files of other kinds: {others}" if others else ""
        raise NoPhotosError(f"{folder} has no pictures (*.jpg, *.png, *.webp, ...){found}")
    return messages, others


@dataclass(frozen=True)
class _Folder:
    """A folder without hidden files, what is in `output`, and names that can't be keys."""

    source: FileSource
    output: Path

    def entries(self, after: str) -> Iterator[Entry]:
        return filter(self._is_wanted, self.source.entries(after))

    def _is_wanted(self, entry: Entry) -> bool:
        if not entry.file:
            return True  # it says why
        hidden = any(part.startswith(".") for part in entry.key.split("/"))
        # S3 would accept a line feed, but moto doesn't.
        key = "\n" not in entry.key and len(entry.key.encode()) <= _MAX_KEY_BYTES
        return key and not hidden and not entry.file.resolve().is_relative_to(self.output)


def _pictures() -> Path:
    return Path(str(files("skimage") / "data"))


def _message(form: Callable[[str, bytes], Mapping[str, Any]], key: str, file: Path) -> Message:
    return Message(json.dumps(form(key, file.read_bytes())), _BUCKET, key, file)


def _direct(key: str, _content: bytes) -> Mapping[str, Any]:
    """The worker's own form; the bucket is its default."""
    return {"key": key}


def _s3(key: str, content: bytes) -> Mapping[str, Any]:
    """A bucket's notification, with a form-encoded key."""
    facts = {
        "key": quote_plus(key, safe="/"),
        "size": len(content),
        "eTag": _etag(content),
        "sequencer": _SEQUENCER,
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": _BUCKET}, "object": facts},
    }
    return {"Records": [record]}


def _sns(key: str, content: bytes) -> Mapping[str, Any]:
    """The same through a topic."""
    return {"Type": "Notification", "Message": json.dumps(_s3(key, content))}


def _eventbridge(key: str, content: bytes) -> Mapping[str, Any]:
    """A bucket's event through EventBridge, with a literal key."""
    facts = {
        "key": key,
        "size": len(content),
        "etag": _etag(content),
        "sequencer": _SEQUENCER,
    }
    return {
        "version": "0",
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": _BUCKET}, "object": facts},
    }


def _etag(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
