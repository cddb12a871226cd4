"""Draws the plot of docs/cost.md from build/queue.json.

`make cost` runs it in an environment that has Matplotlib, but not the rest of the project.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

SOURCE: Final = Path("build/queue.json")

_ROWS: Final = (
    ("waiting", "images waiting\n(millions)", 1e6),
    ("oldest_seconds", "", 1),
    ("functions", "functions at work", 1),
)
_COLOURS: Final = ("#9c4a1a", "#1f6f8b", "#2b2d42")
_INCHES: Final = (9.2, 6.4)
_DOTS_PER_INCH: Final = 140


def draw(stories: dict[str, Any], path: Path) -> None:
    """Draw both scenarios: waiting images, their age, and functions."""
    from matplotlib import rc_context  # noqa: PLC0415, only installed for `make cost`
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context({"font.size": 9.5, "axes.titlesize": 11, "axes.titleweight": "bold"}):
        figure = Figure(figsize=_INCHES, layout="constrained", facecolor="white")
        grid = figure.subplots(len(_ROWS), 2, sharex="col")
        _draw_bursts(grid[:, 0], stories["burst"])
        _draw_wave(grid[:, 1], stories["wave"][0])
        figure.align_ylabels(grid)
        figure.savefig(path, dpi=_DOTS_PER_INCH, metadata={"Software": None})


def _draw_bursts(axes: Any, runs: list[dict[str, Any]]) -> None:  # noqa: ANN401, Matplotlib has no types
    axes[0].set_title("A million photos at once")
    for run, colour in zip(runs, _COLOURS, strict=True):
        # From 1 s on: the axis is logarithmic.
        points = [(s, i) for i, s in enumerate(run["seconds"]) if s >= 1]
        minutes = [s / 60 for s, _ in points]
        for axis, (name, _, unit) in zip(axes, _ROWS, strict=True):
            shown = unit * 60 if name == "oldest_seconds" else unit
            values = [run[name][i] / shown for _, i in points]
            axis.plot(minutes, values, color=colour, label=run["label"], linewidth=1.8)
    _dress(axes, "age of the oldest\n(minutes)")
    axes[0].legend(frameon=False, loc="lower left", fontsize=8.5)
    axes[1].set_yscale("log")
    axes[2].set_yscale("log")
    axes[2].set_xscale("log")
    ticks = (1 / 60, 1 / 6, 1, 10, 60, 180)
    axes[2].set_xticks(ticks, ("1 s", "10 s", "1 min", "10 min", "1 h", "3 h"), minor=False)
    axes[2].minorticks_off()
    axes[2].set_yticks((1, 10, 100, 1000), ("1", "10", "100", "1,000"))
    axes[1].set_yticks((0.1, 1, 10, 100), ("0.1", "1", "10", "100"))
    axes[2].set_xlabel("time since the burst")


def _draw_wave(axes: Any, run: dict[str, Any]) -> None:  # noqa: ANN401
    axes[0].set_title(run["label"][0].upper() + run["label"][1:])
    hours = [s / 3600 for s in run["seconds"]]
    for axis, (name, _, unit) in zip(axes, _ROWS, strict=True):
        shown = unit * 3600 if name == "oldest_seconds" else unit
        values = [value / shown for value in run[name]]
        axis.plot(hours, values, color=_COLOURS[1], linewidth=1.8)
        axis.fill_between(hours, values, color=_COLOURS[1], alpha=0.15, linewidth=0)
        axis.set_ylim(bottom=0)
    _dress(axes, "age of the oldest\n(hours)")
    axes[2].set_xlim(0, 24)
    axes[2].set_xticks(range(0, 25, 6), ("0:00", "6:00", "12:00", "18:00", "24:00"))
    axes[2].set_xlabel("time of day")


def _dress(axes: Any, age_label: str) -> None:  # noqa: ANN401
    for axis, (_, label, _) in zip(axes, _ROWS, strict=True):
        axis.set_ylabel(label or age_label)
        axis.grid(visible=True, color="#d8d8d8", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    draw(json.loads(SOURCE.read_text()), Path(sys.argv[1]))
