"""Give everything in a folder one date, so that the same content makes the same layer.

`python set_dates.py FOLDER`, in the image's build stages: AWS's base has no `find`.
"""

import os
import sys
from pathlib import Path

SECONDS = 315532800  # 1980-01-01, the oldest date that every archive format holds


def set_dates(folder: Path) -> None:
    """Set the dates of all files, links and folders, of the folder itself too."""
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (SECONDS, SECONDS), follow_symlinks=False)


if __name__ == "__main__":
    set_dates(Path(sys.argv[1]))
