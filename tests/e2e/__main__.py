"""Run a command with what `make e2e` has: a Docker engine, and a base image to build on.

`.venv/bin/python -m tests.e2e make image`: DOCKER_HOST and BASE_IMAGE are set for the command.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "image"))  # as pytest is told in pyproject.toml

from tests.e2e.base import NoBaseError, base_image
from tests.e2e.engine import NoEngineError, engine


def main(command: list[str]) -> int:
    """Run it; returns its exit status."""
    try:
        with engine():
            environment = {**os.environ, "BASE_IMAGE": base_image()}
            return subprocess.run(command, env=environment, check=False).returncode
    except (NoEngineError, NoBaseError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
