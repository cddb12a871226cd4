#!/usr/bin/env python3
"""Build the worker's container image, and print its size by parts.

The models are first put into the build context (`image/model-cache`), so that the build itself
downloads none. For `sam build` that is enough: `build_image.py --models-only`.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import fetch_models
from docker_cli import DockerError, docker
from model_files import megabytes, write_atomically
from model_manifest import Model, read_manifest

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
MODEL_CACHE = FOLDER / "model-cache"

DEFAULT_TAG = "landmark-worker:latest"
_COMPLEXITIES = (0, 1, 2)
DEFAULT_PLATFORM = "linux/amd64"
_PLATFORMS = (DEFAULT_PLATFORM, "linux/arm64")
_BUILD_SECONDS = 1800
# Where the processor is emulated, even a list of files takes a while.
_MEASURE_SECONDS = 300
_PARTS_SHOWN = 8

# Runs in the image: the bytes of each entry of /var/task, and of the model.
_MEASURE = """
import json, pathlib
task, sizes = pathlib.Path("/var/task"), {}
for path in task.rglob("*"):
    if path.is_file() and not path.is_symlink():
        name = path.relative_to(task).parts[0]
        if path.match("pose_landmark/*.tflite"):
            name = path.name
        sizes[name] = sizes.get(name, 0) + path.stat().st_size
print(json.dumps(sizes))
"""

# Folders that are counted to another package.
_PART_OF = {"opencv_python_headless.libs": "cv2", "numpy.libs": "numpy", "pi_heif.libs": "libheif"}


@dataclass(frozen=True)
class Sizes:
    """Bytes of an image.

    Attributes:
        total: of the whole image, uncompressed.
        base: of the base image.
        parts: of the entries of `/var/task`, largest first.
    """

    total: int
    base: int
    parts: Mapping[str, int]


def add_models(complexities: Sequence[int] = _COMPLEXITIES, *, max_people: int = 1) -> None:
    """Put the models that MediaPipe's wheel lacks into the build context.

    Args:
        complexities: of the pose models.
        max_people: above 1, the two models for several people are added.

    Raises:
        FileNotFoundError: a model cannot be downloaded; standard error says why.
    """
    for model in read_manifest(fetch_models.MANIFEST).models:
        names = [f"{source.sha256[:16]}-{model.file}" for source in model.sources]
        in_wheel = any(source.kind == "wheel" for source in model.sources)
        at_hand = any((MODEL_CACHE / name).exists() for name in names)
        wanted = max_people > 1 if model.complexity is None else model.complexity in complexities
        if wanted and not in_wheel and not at_hand:
            _add(model)


def _add(model: Model) -> None:
    """Add one model under the name that `fetch_models.py --cache` looks for."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = ["--people"] if model.complexity is None else []
        complexity = ["--complexity", str(1 if model.complexity is None else model.complexity)]
        if fetch_models.main([*complexity, *wanted, "--target", folder]) != 0:
            raise FileNotFoundError(f"{model.file} is missing")
        content = Path(folder, model.destination).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    write_atomically(MODEL_CACHE / f"{digest[:16]}-{model.file}", content)


def build(
    tag: str,
    *,
    base_image: str | None = None,
    platform: str = DEFAULT_PLATFORM,
    complexity: int = 2,
    max_people: int = 1,
    segmentation_bucket: str = "",
) -> None:
    """Build the image; with a bucket for masks, the model keeps its mask branch."""
    arguments = {
        "MAX_PEOPLE": str(max_people),
        "MODEL_COMPLEXITY": str(complexity),
        "SEGMENTATION_BUCKET": segmentation_bucket,
        "VERSION": git("describe", "--tags", "--always", "--dirty"),
        "REVISION": git("rev-parse", "HEAD"),
    }
    if base_image:
        arguments["BASE_IMAGE"] = base_image
    settings = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    docker(
        *("build", f"--platform={platform}", *settings, f"--tag={tag}"),
        *(f"--file={FOLDER / 'Dockerfile'}", str(ROOT)),
        timeout_seconds=_BUILD_SECONDS,
    )


def git(*arguments: str) -> str:
    """Ask git about this checkout; "unknown" outside of one."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def sizes(tag: str, base_image: str) -> Sizes:
    """Measure an image."""
    command = ("run", "--rm", "--entrypoint=python3", tag, "-c", _MEASURE)
    found = json.loads(docker(*command, timeout_seconds=_MEASURE_SECONDS))
    parts: dict[str, int] = {}
    for name, size in found.items():
        part = _PART_OF.get(name, name)
        parts[part] = parts.get(part, 0) + size
    return Sizes(
        total=int(docker("image", "inspect", "--format={{.Size}}", tag)),
        base=int(docker("image", "inspect", "--format={{.Size}}", base_image)),
        parts=dict(sorted(parts.items(), key=lambda part: -part[1])),
    )


def report(tag: str, base_image: str, found: Sizes) -> str:
    """Format the sizes."""
    shown = list(found.parts.items())[:_PARTS_SHOWN]
    rest = found.total - found.base - sum(size for _, size in shown)
    lines = [(f"base {base_image}", found.base), *shown, ("everything else", rest)]
    return "\n".join(
        [
            f"image        {tag}, {megabytes(found.total)} uncompressed",
            *(f"  {megabytes(size):>10}   {name}" for name, size in lines),
            "",
        ]
    )


def default_base() -> str:
    """The base that the Dockerfile names."""
    for line in (FOLDER / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("ARG BASE_IMAGE="):
            return line.partition("=")[2]
    raise LookupError("the Dockerfile has no default for BASE_IMAGE")


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("--base-image", default=default_base(), help="default: %(default)s")
    parser.add_argument(
        "--platform", choices=_PLATFORMS, default=DEFAULT_PLATFORM, help="default: %(default)s"
    )
    parser.add_argument("--complexity", type=int, choices=_COMPLEXITIES, default=2)
    parser.add_argument(
        "--segmentation-bucket",
        default="",
        metavar="BUCKET",
        help="build an image that can make masks, with the whole model; any value will do",
    )
    parser.add_argument("--max-people", type=int, choices=range(1, 17), default=1)
    parser.add_argument("--tag", default=DEFAULT_TAG, help="default: %(default)s")
    parser.add_argument("--models-only", action="store_true", help="build nothing")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = parse_arguments(argv)
    try:
        people = options.max_people
        complexities = _COMPLEXITIES if options.models_only else [options.complexity]
        add_models(complexities, max_people=people)
        if not options.models_only:
            build(
                options.tag,
                base_image=options.base_image,
                platform=options.platform,
                complexity=options.complexity,
                segmentation_bucket=options.segmentation_bucket,
                max_people=people,
            )
            found = sizes(options.tag, options.base_image)
            sys.stdout.write(report(options.tag, options.base_image, found))
    except (DockerError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
