"""Conversion of models that are only published for TensorFlow.js, in an environment of its own.

TensorFlow takes 1.4 GB and a minute to install, so it is removed again with the folder.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from model_files import SourceError, check, say
from model_manifest import Model, Source
from model_sources import Tarball

REQUIREMENTS = Path(__file__).with_name("requirements-convert.txt")
PROGRAM = Path(__file__).with_name("convert_models.py")
TIMEOUT_SECONDS = 900


@dataclass
class Converter:
    """Makes TFLite models from npm packages.

    Attributes:
        folder: an empty folder, for everything that is needed on the way.
    """

    folder: Path

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """Variables with which TensorFlow and npm are found, once they are installed."""
        tools = self.folder / "tools"
        say("installing TensorFlow to convert models (1.4 GB, removed afterwards)\n")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tools)]
        locked = ["--require-hashes", "--no-deps", "--no-compile", "--requirement"]
        run([*pip, *locked, str(REQUIREMENTS)], os.environ)
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), str(tools / "bin")))
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        return {**os.environ, **quiet, "PATH": path, "PYTHONPATH": str(tools)}

    def convert(self, model: Model, source: Source) -> bytes:
        """Download a model's parts and convert them.

        Raises:
            SourceError: a part is missing or not the expected one, or a tool failed.
        """
        if model.origin is None:
            raise SourceError("the manifest names no npm package to convert it from")
        inputs, result = self.folder / model.file / "parts", self.folder / model.file / "result"
        packed = self.folder / model.file / "package"
        for folder in (inputs, packed):
            folder.mkdir(parents=True)
        tarball = Tarball(model.origin.package, packed, self.environment)
        for part in model.origin.parts:
            content = tarball.read(part)
            check(content, part)
            (inputs / Path(part.member).name).write_bytes(content)
        program = [sys.executable, str(PROGRAM), str(inputs), model.file, str(result)]
        run(program, self.environment)
        content = result.read_bytes()
        check(content, source)
        return content


def run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a command; raise SourceError with the last line of its errors if it fails."""
    try:
        subprocess.run(
            command, env=environment, capture_output=True, check=True, timeout=TIMEOUT_SECONDS
        )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise SourceError(f"{' '.join(command[1:4])}: {lines[-1]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError(str(error)) from error
