"""What models.json says: the model files, their sources, and the bytes expected there."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Source:
    """Where a model can come from, and exactly which bytes are expected there."""

    kind: Literal["wheel", "npm", "url"]
    sha256: str
    size: int | None = None
    at_most: int = 0  # the bound in bytes where the exact size is not known
    member: str = ""  # the name inside the npm package's tarball

    @property
    def limit_bytes(self) -> int:
        """The number of bytes after which reading stops."""
        return self.at_most if self.size is None else self.size


@dataclass(frozen=True)
class Model:
    """A model file, its place below MediaPipe's package folder, and its sources by preference."""

    file: str
    complexity: int
    destination: str
    sources: tuple[Source, ...]
    note: str = ""


@dataclass(frozen=True)
class NpmPackage:
    """The npm package with the models: one version, one tarball."""

    spec: str
    size: int
    integrity: str  # "sha512-" and base64, as npm writes it


@dataclass(frozen=True)
class Manifest:
    """What models.json says."""

    published_address: str
    npm_package: NpmPackage
    models: tuple[Model, ...]


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; keys that it should not have raise TypeError."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    content["npm_package"] = NpmPackage(**content["npm_package"])
    content["models"] = tuple(
        Model(**entry | {"sources": tuple(Source(**source) for source in entry["sources"])})
        for entry in content["models"]
    )
    return Manifest(**content)
