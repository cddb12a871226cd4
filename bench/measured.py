"""Measured figures: those of the last `make bench`, and the committed ones for the documents."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

BENCH: Final = Path("build/bench.json")
BENCH_SOURCE: Final = "make bench"
COMMITTED: Final = Path(__file__).with_name("measured.json")


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number and its source."""

    value: float
    source: str


def committed(path: Path = COMMITTED) -> dict[str, Figure]:
    """The committed figures, by name."""
    figures = json.loads(path.read_text())
    return {name: Figure(**figure) for name, figure in figures.items()}


def benchmarked(path: Path = BENCH) -> dict[str, Figure]:
    """The figures of the last `make bench` on this machine, if any."""
    if not path.exists():
        return {}
    found: Mapping[str, Any] = json.loads(path.read_text())
    return {
        name: Figure(float(value), BENCH_SOURCE)
        for name, value in found.items()
        if isinstance(value, int | float)
    }


def adopt(names: Mapping[str, Any], path: Path = COMMITTED, bench: Path = BENCH) -> None:
    """Copy these figures from `make bench` to the committed ones."""
    found = benchmarked(bench)
    figures = committed(path) | {name: found[name] for name in names if name in found}
    rows = {name: {"value": f.value, "source": f.source} for name, f in figures.items()}
    path.write_text(json.dumps(rows, indent=2) + "\n")
