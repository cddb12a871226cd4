"""Run a command with the Docker engine and the base image of `make e2e`.

`.venv/bin/python -m tests.e2e make image` sets DOCKER_HOST and BASE_IMAGE for the command.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "image"))  # as `pythonpath` in pyproject.toml

from tests.e2e.base import REMEDY, NoBaseError, base_image
from tests.e2e.engine import NoEngineError, engine


def main(command: list[str]) -> int:
    """Run it; returns its exit status."""
    try:
        with engine():
            environment = {**os.environ, "BASE_IMAGE": base_image()}
            return subprocess.run(command, env=environment, check=False).returncode
    except (NoEngineError, NoBaseError) as error:
        sys.stderr.write(f"error: {error}\n{REMEDY}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
