"""Imports go one way: `worker` imports the contract from `landmarks`, never the reverse."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from grimp import ImportGraph, build_graph

ROOT = Path(__file__).parents[2]

# `retry` compares stored options with the worker's, and the local stack starts a worker.
RUN_A_WORKER = ("landmarks.cli.demo", "landmarks.cli.retry", "landmarks.local.")
OF_THE_WORKER = {"worker.model", "worker.settings"}
# `detect` runs the worker's detectors itself, and photographs are only decoded in their processes.
RUN_DETECTORS = ("landmarks.local.detection", "landmarks.photograph")


@cache
def graph() -> ImportGraph:
    """All imports of both packages, including those inside functions."""
    return build_graph("landmarks", "worker", include_external_packages=True)


def imported_by(importer: str) -> set[str]:
    """Return what a module itself imports."""
    return graph().find_modules_directly_imported_by(importer)


def modules(package: str) -> set[str]:
    """Return a package's modules, including itself."""
    return {package, *graph().find_descendants(package)}


def contract() -> set[str]:
    """Return the modules of `landmarks` that .dockerignore lets into the image."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    paths = [Path(line[1:]) for line in lines if line.startswith("!landmarks/")]
    return {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths}


def test_landmarks_does_not_import_the_worker() -> None:
    """Only modules that run a worker read the worker's settings."""
    upwards = {
        (importer, imported)
        for importer in modules("landmarks")
        for imported in imported_by(importer)
        if imported.startswith("worker")
    }

    assert upwards
    assert {i for i, _ in upwards if not i.startswith(RUN_A_WORKER + RUN_DETECTORS)} == set()
    assert {imported for i, imported in upwards if i not in RUN_DETECTORS} <= OF_THE_WORKER


def test_the_image_has_what_the_worker_imports() -> None:
    """The worker imports the contract, which imports nothing else of `landmarks`."""
    needed = {
        imported
        for importer in modules("worker") | contract() - {"landmarks"}
        for imported in imported_by(importer)
        if imported.startswith("landmarks")
    }

    assert needed | {"landmarks"} == contract()


def test_only_the_detector_imports_mediapipe_and_opencv() -> None:
    """They only run in processes that may be killed by an image."""
    importers = {
        importer
        for library in {"cv2", "mediapipe"} & graph().modules
        for importer in graph().find_modules_that_directly_import(library)
    }

    assert importers
    assert {name for name in importers if not name.startswith("worker.detector.")} == set()


def test_only_the_detector_imports_the_heif_decoder() -> None:
    """It calls libheif through ctypes, which shows in no import."""
    importers = graph().find_modules_that_directly_import("worker.detector.heif")

    assert importers
    assert {name for name in importers if not name.startswith("worker.detector.")} == set()


@pytest.mark.parametrize("package", ["landmarks", "worker"])
def test_a_file_name_is_used_once(package: str) -> None:
    """Within a package, each file name is unique."""
    files = Counter(path.name for path in (ROOT / package).rglob("*.py"))

    del files["__init__.py"]
    files.pop("__main__.py", None)
    assert [name for name, count in files.items() if count > 1] == []
