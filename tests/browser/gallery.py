"""The results that the tests look at."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from landmarks.cli.report import Selection, write_report
from landmarks.errors import NotAnImageError, TooSmallError
from landmarks.groups import Landmarks
from landmarks.local.stack import create_stack
from tests.fakes import Cloud, nobody, seen_nobody, seen_person
from tests.integration.report.album import HOSTILE_KEYS, Album
from tests.integration.report.conftest import SILENCE
from tests.pictures import corners, encode
from worker.result import Detection

WIDTH, HEIGHT = 640, 480

# The keys in the gallery, newest first.
WHOLE, BODY, NOBODY, TEXT, SMALL, CHANGED = (
    "party/whole.jpg",
    "party/body.jpg",
    "empty/room.png",
    "notes/shopping list.jpg",
    "tiny.png",
    "party/changed.jpg",
)
KEYS = (WHOLE, BODY, NOBODY, TEXT, SMALL, CHANGED)

# Can be typed into the address bar as it is.
TYPED = "1+1 100% sure.jpg"


def body() -> Detection:
    """A pose alone, its joints far apart, those below the hips guessed."""
    pose = np.zeros((33, 4), np.float32)
    pose[:, 0] = 0.05 + np.arange(33) % 7 * 0.15
    pose[:, 1] = 0.1 + np.arange(33) // 7 * 0.2
    pose[:, 3] = np.where(np.arange(33) < 25, 0.9, 0.1)
    return Detection(Landmarks(pose_landmarks=pose, pose_score=0.75), WIDTH, HEIGHT, "jpeg")


def whole() -> Detection:
    """Every group, all over the photo, with no point guessed."""
    seen = seen_person()
    pose = np.array(seen.landmarks.pose_landmarks)
    pose[:, 3] = 0.9
    return replace(seen, landmarks=replace(seen.landmarks, pose_landmarks=pose))


class Gallery:
    """A stack with results, and pages of it."""

    def __init__(self, services: Mapping[str, Any], name: str, folder: Path) -> None:
        self.cloud = Cloud(create_stack(name), services)
        self.album = Album(self.cloud)
        self._folder = folder

    def write(self, name: str, bucket: str | None = None, **options: Any) -> Path:  # noqa: ANN401, of several types
        """Write a report of the table, or of one bucket."""
        path = self._folder / f"{name}.html"
        options.setdefault("limit", 1000)
        write_report(Selection(self.cloud.stack.table, bucket), path, SILENCE, **options)
        return path

    def fill(self) -> None:
        """One of each kind."""
        album, photo = self.album, encode(corners(WIDTH, HEIGHT), "JPEG")
        album.add(WHOLE, whole(), version=album.photo(WHOLE, photo), minutes_ago=1, total_ms=300)
        album.add(BODY, body(), version=album.photo(BODY, photo), minutes_ago=2, total_ms=200)
        album.add(
            NOBODY, seen_nobody(), version=album.photo(NOBODY, nobody()), minutes_ago=3, total_ms=40
        )
        album.add(TEXT, NotAnImageError("31 bytes of text"), minutes_ago=4, total_ms=20)
        album.add(SMALL, TooSmallError("32 x 32 pixels"), minutes_ago=5, total_ms=30)
        before = album.photo(CHANGED, photo)
        album.photo(CHANGED, nobody())
        album.add(CHANGED, body(), version=before, minutes_ago=6, total_ms=120)

    def fill_hostile(self) -> None:
        """Keys and a message that try to run scripts, and one to type by hand."""
        for number, key in enumerate(HOSTILE_KEYS):
            self.album.add(key, minutes_ago=number)
        message = "</script><img src=x onerror='window.harmed = 1'>"
        self.album.add("message.jpg", NotAnImageError(message), minutes_ago=98)
        self.album.add(TYPED, minutes_ago=99)
