#!/usr/bin/env python3
"""Bring the pose models that MediaPipe's wheel lacks into its package folder.

A model already in place is left there; else it is looked for in the cache, in the npm package and
at MediaPipe's published address. Standard library only: this runs in the image's build stage and
on developers' machines, never in the worker, which downloads nothing.

The order of a model's sources in the manifest is the order of preference on every machine. It
matters for `pose_landmark_lite.tflite` alone, which has two official builds: the line printed for
a model names the build, so that machines whose landmarks of complexity 0 differ can be told apart.
"""

import argparse
import importlib.util
import os
import signal
import sys
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from model_files import SourceError, check, holds, read_file, say, write_atomically
from model_manifest import Model, Source, read_manifest
from model_sources import Tarball, download, is_safe

MANIFEST = Path(__file__).with_name("models.json")


class MissingModelError(Exception):
    """Raised when no source gave a model; its text is the whole story."""


@dataclass(frozen=True)
class Courier:
    """Brings models to their places; knows every place they can come from."""

    target: Path
    cache: Path
    address: str
    tarball: Tarball

    def bring(self, model: Model) -> str:
        """Bring one model unless it is there already; returns the line that says so."""
        final = self.target / model.destination
        for source in model.sources:
            if holds(final, source):
                return f"{model.file}: in place ({build(source)})"
        tried = []
        for label, source, read in self._ways(model):
            try:
                content = read()
                check(content, source)
            except SourceError as error:
                tried.append(f"{label}: {error}")
                continue
            write_atomically(final, content)
            self._remember(model, source, content)
            return f"{model.file}: brought from {label} ({build(source)}) to {final}"
        raise MissingModelError(story(model, tried))

    def _ways(self, model: Model) -> Iterator[tuple[str, Source, Callable[[], bytes]]]:
        for source in {source.sha256: source for source in model.sources}.values():
            path = self._cached(model, source)
            yield f"cache {path}", source, partial(read_file, path, source)
        for source in model.sources:
            if source.kind == "wheel":
                yield "the mediapipe package", source, partial(read_packaged, model, source)
            elif source.kind == "npm":
                spec = self.tarball.package.spec
                yield f"npm {spec}", source, partial(self.tarball.read, source)
            else:
                address = urllib.parse.urljoin(self.address, model.file)
                yield address, source, partial(download, address, source)

    def _cached(self, model: Model, source: Source) -> Path:
        return self.cache / f"{source.sha256[:16]}-{model.file}"

    def _remember(self, model: Model, source: Source, content: bytes) -> None:
        """Keep it for the next time; a cache that cannot be written costs only that."""
        path = self._cached(model, source)
        if source.kind == "wheel" or holds(path, source):
            return
        try:
            write_atomically(path, content)
        except OSError as error:
            say(f"not cached: {error}\n")


def read_packaged(model: Model, source: Source) -> bytes:
    """Read a model that came inside the installed wheel."""
    folder = package_folder()
    if folder is None:
        raise SourceError("it is not installed in this Python")
    return read_file(folder / model.destination, source)


def package_folder() -> Path | None:
    """Find the installed mediapipe package without the second that importing it takes."""
    spec = importlib.util.find_spec("mediapipe")
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else None


def build(source: Source) -> str:
    """Name a build so that two machines can be compared."""
    return f"sha256 {source.sha256[:12]}"


def story(model: Model, tried: Sequence[str]) -> str:
    """Tell everything somebody needs who is left without a model."""
    if any(source.kind == "wheel" for source in model.sources):
        way_out = "It comes inside the mediapipe package: installing that anew brings it back."
    else:
        way_out = "MODEL_COMPLEXITY=1 needs no download: its model is in the mediapipe package."
    lines = [f"{model.file} (MODEL_COMPLEXITY={model.complexity}) could not be brought. Tried:"]
    return "\n".join([*lines, *(f"  - {attempt}" for attempt in tried), way_out])


def default_cache() -> Path:
    """Name the folder for downloads that the XDG base directory specification asks for."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = configured if configured.is_absolute() else Path("~/.cache").expanduser()
    return base / "landmark-worker" / "models"


def safe_address(text: str) -> str:
    """Take a base address for downloads."""
    if not is_safe(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not HTTPS; HTTP is for this machine only")
    return text.rstrip("/") + "/"


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; what is missing falls to this machine's usual places."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument(
        "--complexity",
        type=int,
        nargs="+",
        action="extend",
        choices=(0, 1, 2),
        help="MODEL_COMPLEXITY of the worker, one or several (default: 2)",
    )
    parser.add_argument(
        "--only", action="store_true", help="remove the models of other complexities"
    )
    parser.add_argument("--target", type=Path, help="default: the installed mediapipe package")
    parser.add_argument("--cache", type=Path, help="default: below $XDG_CACHE_HOME or ~/.cache")
    parser.add_argument("--base-url", type=safe_address, help="a mirror of MediaPipe's address")
    parser.add_argument("--manifest", type=Path, default=MANIFEST, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    options.complexity = options.complexity or [2]
    options.target = options.target or package_folder()
    if options.target is None:
        parser.error("mediapipe is not installed in this Python: name its folder with --target")
    return options


def bring_all(options: argparse.Namespace, work_folder: Path) -> list[str]:
    """Bring every model that was asked for; returns the stories of those that are missing."""
    manifest = read_manifest(options.manifest)
    courier = Courier(
        target=options.target,
        cache=options.cache or default_cache(),
        address=options.base_url or manifest.published_address,
        tarball=Tarball(manifest.npm_package, work_folder),
    )
    stories = []
    for model in manifest.models:
        if model.complexity in options.complexity:
            try:
                sys.stdout.write(courier.bring(model) + "\n")
            except MissingModelError as error:
                stories.append(str(error))
        elif options.only:
            (options.target / model.destination).unlink(missing_ok=True)
    return stories


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = parse_arguments(argv)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            stories = bring_all(options, Path(folder))
    except (OSError, RuntimeError) as error:  # cannot write; no home for the cache
        stories = [str(error)]
    for text in stories:
        say(f"error: {text}\n")
    return 1 if stories else 0


if __name__ == "__main__":
    # `docker stop` and CI end a build so; the temporary folder with npm's 52 MB goes with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
