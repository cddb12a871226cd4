"""The files that the demo writes.

Overlays have names that no key can misuse, and say inside that they are the
demo's: only such ones are ever removed.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

_MAX_NAME_CHARACTERS: Final = 80


_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_]+")


_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,5}\Z")


_DIGEST_CHARACTERS: Final = 8


# What the demo's overlays say they were made by: so they are known as ours.
SOFTWARE: Final = "landmark-worker demo"


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """What is where.

    Attributes:
        folder: of everything.
    """

    folder: Path

    @property
    def overlays(self) -> Path:
        """The folder of the drawings."""
        return self.folder / "overlays"

    @property
    def report(self) -> Path:
        """The page to look at it all."""
        return self.folder / "report.html"

    @property
    def results(self) -> Path:
        """Every result, as JSON."""
        return self.folder / "results.json"

    @property
    def log(self) -> Path:
        """What the worker said."""
        return self.folder / "worker.log"

    def make_room(self) -> None:
        """Remove what an earlier run has left, so that nobody takes it for this one's."""
        self.overlays.mkdir(parents=True, exist_ok=True)
        _remove_overlays(self.overlays)
        for file in (self.report, self.results, self.log):
            file.unlink(missing_ok=True)


def overlay_names(keys: Iterable[str]) -> Mapping[str, str]:
    """A file name for every key, without folders, plain ASCII, all different.

    Names differ even where the file system ignores case. A key that shares its
    plain name with another one has part of its digest added.
    """
    plain = {key: _plain_name(key) for key in sorted(set(keys))}
    shared = Counter(name.casefold() for name in plain.values())
    taken = {name for name, count in shared.items() if count == 1}
    names = {}
    for key, name in plain.items():
        if shared[name.casefold()] > 1:
            name = _free_name(key, name, taken)  # noqa: PLW2901, the name it gets instead
        names[key] = f"{name}.png"
    return names


def _remove_overlays(folder: Path) -> None:
    """Remove what an earlier run drew; whatever else is in the folder stays."""
    for path in folder.glob("*.png"):
        with suppress(OSError, SyntaxError), Image.open(path, formats=("PNG",)) as picture:
            if picture.info.get("Software") == SOFTWARE:
                path.unlink()


def _plain_name(key: str) -> str:
    """What of a key may stand in a file name: letters without accents, digits."""
    letters = unicodedata.normalize("NFKD", _SUFFIX.sub("", key))
    ascii_only = "".join(c for c in letters if not unicodedata.combining(c))
    name = _UNSAFE.sub("-", ascii_only).strip("-")
    return name[:_MAX_NAME_CHARACTERS] or "photo"


def _free_name(key: str, name: str, taken: set[str]) -> str:
    """The name with the key's digest, or as much of it as is new; from now on it is taken."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    for length in range(_DIGEST_CHARACTERS, len(digest) + 1):
        longer = f"{name}-{digest[:length]}"
        if longer.casefold() not in taken:
            break
    taken.add(longer.casefold())
    return longer
