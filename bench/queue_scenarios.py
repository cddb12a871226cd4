"""The two scenarios of the queue in docs/cost.md: simulated, printed, and written for `plot.py`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench import measured, queue
from bench.queue_model import Scaling, ServiceTime, Worker

OUTPUT: Final = Path("build/queue.json")

_MILLION: Final = 1_000_000
_BURST_CONCURRENCY: Final = (10, 100, 1000)

# The template's default, and the share of its capacity that a day needs.
_WAVE_CONCURRENCY: Final = 10
_WAVE_SHARE: Final = 0.8


def measured_worker(figures: Mapping[str, float]) -> Worker:
    """The measured worker; figures are in milliseconds."""
    service = ServiceTime(figures["worker_wall_ms"] / 1000, figures["worker_wall_p95_ms"] / 1000)
    return Worker(service=service, init_seconds=figures["init_one_core_ms"] / 1000)


def run_bursts(worker: Worker, images: int = _MILLION) -> list[dict[str, Any]]:
    """A million images at once, for several concurrencies."""
    return [
        _run(queue.burst(images), worker, concurrency, f"{concurrency:,} functions", 1)
        for concurrency in _BURST_CONCURRENCY
    ]


def run_wave(worker: Worker) -> dict[str, Any]:
    """A day whose peak at noon exceeds the capacity."""
    capacity = _WAVE_CONCURRENCY / worker.service.mean * 86_400
    images = round(capacity * _WAVE_SHARE, -5)
    label = f"{images / _MILLION:g} million a day, {_WAVE_CONCURRENCY} functions"
    return _run(queue.daily_wave(round(images)), worker, _WAVE_CONCURRENCY, label, 60)


def _run(
    arrivals: queue.Arrivals, worker: Worker, concurrency: int, label: str, sample_seconds: float
) -> dict[str, Any]:
    simulation = queue.Simulation(arrivals, worker, Scaling(maximum=concurrency))
    simulation.run(sample_seconds)
    timeline, totals = simulation.timeline, simulation.totals
    return {
        "label": label,
        "done": totals.done,
        "cold_starts": totals.cold_starts,
        "drained_seconds": totals.drained_seconds,
        "seconds": timeline.seconds,
        "waiting": timeline.waiting,
        "functions": timeline.functions,
        "oldest_seconds": timeline.oldest_seconds,
    }


def main() -> int:
    """Simulate, print and write both; returns the exit status."""
    figures = {name: figure.value for name, figure in measured.committed().items()}
    worker = measured_worker(figures)
    stories = {"burst": run_bursts(worker), "wave": [run_wave(worker)]}
    for story in (run for runs in stories.values() for run in runs):
        sys.stdout.write(
            f"{story['label']}: {story['done']:,} done after {story['drained_seconds'] / 60:,.1f} "
            f"minutes, {story['cold_starts']:,} cold starts, at most {max(story['waiting']):,} "
            f"waiting, for {max(story['oldest_seconds']) / 60:,.1f} minutes\n"
        )
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(stories))
    return 0


if __name__ == "__main__":
    sys.exit(main())
