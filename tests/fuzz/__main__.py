"""The command: `python -m tests.fuzz --seconds 300 --seed 1`."""

import sys

from tests.fuzz.run import main

if __name__ == "__main__":
    sys.exit(main())
