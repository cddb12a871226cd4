"""`python -m bench`: the worker compared with bare MediaPipe and with the blog's handler."""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

from bench import photos
from bench.figures import Figure, figures
from bench.program import ROOT
from bench.rounds import Bench

_BUILD: Final = ROOT / "build"
_LARGE_PHOTOS: Final = 2
_MAX_GROUPS: Final = 100


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="number of rounds (default: 7)")
    parser.add_argument("--images", type=Path, help="folder of photos, of which ten are used")
    parser.add_argument("--blog-python", type=Path, required=True, help="its interpreter")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write `build/bench.json`."""
    options = _arguments(arguments)
    folder = _BUILD / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    bundled = photos.bundled()
    usual = photos.save(bundled, folder / "photos")
    groups = usual + photos.save(photos.groups(), folder / "groups")
    if options.images:
        found = photos.in_folder(options.images)
        usual = photos.spread(found, len(usual))
        groups = photos.spread(found, min(len(found), _MAX_GROUPS))
    large = photos.save(photos.enlarged(bundled[:_LARGE_PHOTOS]), folder / "large")
    log = folder / "programs.log"
    with Bench(usual, large, groups, options.blog_python, log) as bench:
        for number in range(1, options.rounds + 1):
            bench.run_round()
            _say(f"round {number} of {options.rounds}", stream=sys.stderr)
        measured = list(figures(bench.samples.values, bench.items()))
    _say(f"{len(usual)} photos, {len(large)} of 12 megapixels, {options.rounds} rounds, medians")
    for figure in measured:
        _say(_line(figure))
    values = {figure.name: round(figure.value, 4) for figure in measured}
    (_BUILD / "bench.json").write_text(f"{json.dumps(values, indent=2)}\n")


def _line(figure: Figure) -> str:
    value = f"{figure.value:9.3f}" if abs(figure.value) < 100 else f"{figure.value:9.1f}"  # noqa: PLR2004
    target = ""
    if figure.target is not None:
        bound = "≥" if figure.at_least else "≤"
        target = f"  {'ok ' if figure.met else 'NOT'} {bound} {figure.target:g}"
    return f"{figure.name:35}{value}  {figure.what}{target}"


def _say(line: str, *, end: str = "\n", stream: TextIO = sys.stdout) -> None:
    stream.write(f"{line}{end}")
    stream.flush()


if __name__ == "__main__":
    main()
