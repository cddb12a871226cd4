"""Set one date on everything in a folder, for reproducible layers.

`python set_dates.py FOLDER` runs in the image's build stages: AWS's base has no `find`.
"""

import os
import sys
from pathlib import Path

SECONDS = 315532800  # 1980-01-01, the oldest date that every archive format holds


def set_dates(folder: Path) -> None:
    """Set the dates of all files, links and folders, the folder itself included."""
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (SECONDS, SECONDS), follow_symlinks=False)


if __name__ == "__main__":
    set_dates(Path(sys.argv[1]))
