#!/usr/bin/env python3
"""Download the models that MediaPipe's wheel lacks into its package folder.

A valid model in place is kept. Otherwise the cache is tried, then the sources in the manifest's
order: npm package, MediaPipe's published address. Next to each model goes a copy without its mask
branch (`model_cut.py`), which a worker that makes no masks prefers. Standard library only: this
runs in the image's build stage and on developers' machines, never in the worker, which downloads
nothing.

The order of sources matters only for `pose_landmark_lite.tflite`, which has two official builds
whose landmarks differ a little: the line printed for a model has the checksum of its build.

With `--people`, also install the models for MAX_PEOPLE. Unless they are in the cache, they are
converted from TensorFlow.js, with pip, TensorFlow and npm in a temporary folder.
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

from model_conversion import Converter
from model_cut import without_mask_branch
from model_files import SourceError, check, holds, read_file, say, write_atomically
from model_manifest import Model, Source, read_manifest
from model_sources import Tarball, download, is_safe

MANIFEST = Path(__file__).with_name("models.json")


class MissingModelError(Exception):
    """Raised when no source had a model; the message lists what was tried."""


@dataclass(frozen=True)
class Installer:
    """Puts models in place, from the cache or from their sources."""

    target: Path
    cache: Path
    address: str
    tarball: Tarball
    converter: Converter

    def install(self, model: Model) -> str:
        """Put one model in place unless it is there; returns the line to print."""
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
            return f"{model.file}: installed from {label} ({build(source)}) to {final}"
        raise MissingModelError(explain(model, tried, self.cache))

    def cut(self, model: Model) -> str:
        """Make the copy without mask branch unless it is there; returns the line to print.

        Raises:
            SourceError: the copy does not have the checksum in the manifest.
        """
        whole = self.target / model.destination
        final = without_mask(whole)
        source = next(source for source in model.sources if holds(whole, source))
        expected = source.cut()
        if expected is None:
            final.unlink(missing_ok=True)  # of another build
            return f"{model.file}: keeps its mask branch: there is no checksum without it"
        if holds(final, expected):
            return f"{final.name}: in place ({build(expected)})"
        content = without_mask_branch(whole.read_bytes())
        check(content, expected)
        write_atomically(final, content)
        return f"{final.name}: made from {model.file} ({build(expected)})"

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
            elif source.kind == "converted":
                if source.machine in ("", os.uname().machine):
                    yield "conversion", source, partial(self.converter.convert, model, source)
            else:
                address = urllib.parse.urljoin(self.address, model.file)
                yield address, source, partial(download, address, source)

    def _cached(self, model: Model, source: Source) -> Path:
        return self.cache / cache_name(model, source)

    def _remember(self, model: Model, source: Source, content: bytes) -> None:
        """Write it to the cache; without a writable cache it is downloaded again next time."""
        path = self._cached(model, source)
        if source.kind == "wheel" or holds(path, source):
            return
        try:
            write_atomically(path, content)
        except OSError as error:
            say(f"not cached: {error}\n")


def read_packaged(model: Model, source: Source) -> bytes:
    """Read a model from the installed wheel."""
    folder = package_folder()
    if folder is None:
        raise SourceError("it is not installed in this Python")
    return read_file(folder / model.destination, source)


def package_folder() -> Path | None:
    """Find the installed mediapipe package without importing it, which takes a second."""
    spec = importlib.util.find_spec("mediapipe")
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else None


def without_mask(model: Path) -> Path:
    """Name the copy without mask branch."""
    return model.with_stem(f"{model.stem}_without_mask")


def build(source: Source) -> str:
    """Name a build by its checksum."""
    return f"sha256 {source.sha256[:12]}"


def cache_name(model: Model, source: Source) -> str:
    """Name a model's file in the cache."""
    return f"{source.sha256[:16]}-{model.file}"


def explain(model: Model, tried: Sequence[str], cache: Path) -> str:
    """Say what was tried, and what to do without the model."""
    use = f"MODEL_COMPLEXITY={model.complexity}"
    if model.complexity is None:
        use = "MAX_PEOPLE over 1"
        source = model.sources[0]
        way_out = (
            f"With the file from elsewhere (sha256 {source.sha256}), put it into {cache} as "
            f"{cache_name(model, source)}; a build of the image looks in image/model-cache."
        )
    elif any(source.kind == "wheel" for source in model.sources):
        way_out = "It is part of the mediapipe package: reinstall that."
    else:
        way_out = "MODEL_COMPLEXITY=1 needs no download: its model is in the mediapipe package."
    lines = [f"{model.file} ({use}) could not be downloaded. Tried:"]
    return "\n".join([*lines, *(f"  - {attempt}" for attempt in tried), way_out])


def default_cache() -> Path:
    """The cache folder, by the XDG base directory specification."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = configured if configured.is_absolute() else Path("~/.cache").expanduser()
    return base / "landmark-worker" / "models"


def safe_address(text: str) -> str:
    """Check the base address for downloads."""
    if not is_safe(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not HTTPS; HTTP is for this machine only")
    return text.rstrip("/") + "/"


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
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
        "--only",
        action="store_true",
        help="remove the models of other complexities, and the whole model if there is a copy "
        "without its mask branch",
    )
    parser.add_argument(
        "--masks", action="store_true", help="with --only, keep the whole model instead of the copy"
    )
    parser.add_argument(
        "--people", action="store_true", help="also install the models for MAX_PEOPLE over 1"
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


def install_all(options: argparse.Namespace, work_folder: Path) -> list[str]:
    """Install the requested models; returns an explanation for each that is missing."""
    manifest = read_manifest(options.manifest)
    installer = Installer(
        target=options.target,
        cache=options.cache or default_cache(),
        address=options.base_url or manifest.published_address,
        tarball=Tarball(manifest.npm_package, work_folder),
        converter=Converter(work_folder / "conversion"),
    )
    wanted = {*options.complexity, *([None] if options.people else [])}
    missing = []
    for model in manifest.models:
        if model.complexity in wanted:
            try:
                sys.stdout.write(f"{installer.install(model)}\n")
                if model.complexity is not None:
                    sys.stdout.write(f"{installer.cut(model)}\n")
            except (MissingModelError, SourceError) as error:
                missing.append(str(error))
        if options.only and model.complexity is not None:
            remove_unused(options, model)
    return missing


def remove_unused(options: argparse.Namespace, model: Model) -> None:
    """Leave one file of a requested complexity, and none of another."""
    whole = options.target / model.destination
    copy = without_mask(whole)
    if model.complexity not in options.complexity:
        unused = [whole, copy]
    else:
        unused = [whole] if copy.exists() and not options.masks else [copy]
    for path in unused:
        path.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = parse_arguments(argv)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            missing = install_all(options, Path(folder))
    except (OSError, RuntimeError) as error:  # cannot write; no home for the cache
        missing = [str(error)]
    for text in missing:
        say(f"error: {text}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    # Sent by `docker stop` and CI: remove the temporary folder with npm's 52 MB.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
