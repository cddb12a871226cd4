"""What the benchmark makes of its samples."""

from pathlib import Path

import pytest

from bench.figures import Figure, figures
from bench.photos import spread

SAMPLES = (
    "baseline_cpu_ms",
    "baseline_init_ms",
    "baseline_wall_ms",
    "duplicate_wall_ms",
    "far_wall_ms",
    "first_wall_ms",
    "hundred_two_children_wall_ms",
    "hundred_wall_ms",
    "init_ms",
    "init_one_core_ms",
    "large_baseline_wall_ms",
    "large_limit_cpu_ms",
    "large_reduced_worker_cpu_ms",
    "large_reduced_worker_wall_ms",
    "large_worker_complexity_0_wall_ms",
    "large_worker_complexity_1_wall_ms",
    "large_worker_cpu_ms",
    "large_worker_wall_ms",
    "limit_cpu_ms",
    "near_wall_ms",
    "peak_mb",
    "single_wall_ms",
    "warm_wall_ms",
    "worker_complexity_0_wall_ms",
    "worker_complexity_1_wall_ms",
    "worker_cpu_ms",
    "worker_wall_ms",
)

ITEM = {"object_key": {"S": "k" * 1000}, "bucket": {"S": "b"}}


def found(**samples: list[float]) -> dict[str, Figure]:
    """The figures of three rounds, in which everything took 100 unless it is said."""
    values = {name: [100.0, 100.0, 100.0] for name in SAMPLES} | samples
    return {figure.name: figure for figure in figures(values, [ITEM])}


def test_ratios_are_of_what_met_the_same_round() -> None:
    """A machine that is slow for a round is slow for both; medians of each would not show it."""
    over = found(worker_cpu_ms=[55, 220, 110], limit_cpu_ms=[50, 200, 100])["worker_over_limit"]

    assert over.value == pytest.approx(1.1)


def test_targets_are_bounds_from_the_right_side() -> None:
    """Less is better of what is spent, more of what is gained."""
    missed = found(
        worker_cpu_ms=[111.0] * 3,
        hundred_two_children_wall_ms=[55.0] * 3,
        baseline_wall_ms=[400.0] * 3,
    )

    assert not missed["worker_over_limit"].met
    assert not missed["children_speedup"].met
    assert not missed["baseline_over_worker_gb_seconds"].met
    met = found(hundred_two_children_wall_ms=[54.0] * 3, baseline_wall_ms=[415.0] * 3)
    assert met["worker_over_limit"].met
    assert met["children_speedup"].met
    assert met["baseline_over_worker_gb_seconds"].met


def test_memory_time_is_what_lambda_bills() -> None:
    """The same wall time costs 2.9 times as much at the blog's 5,120 MB."""
    saving = found()["baseline_over_worker_gb_seconds"]

    assert saving.value == pytest.approx(5120 / 1769)


def test_dearest_item_counts() -> None:
    """Write units are whole kilobytes, names included."""
    assert found()["write_units"].value == 1
    dear = {**ITEM, "status": {"S": "x" * 100}}
    values = {name: [1.0] for name in SAMPLES} | {"single_wall_ms": [1.0, 2.0]}
    assert {f.name: f.value for f in figures(values, [ITEM, dear])}["write_units"] == 2


def test_ten_photos_are_taken_from_the_whole_folder() -> None:
    """Of more, every so many; of fewer, some twice."""
    paths = [Path(f"{number}.jpg") for number in range(25)]

    assert [path.stem for path in spread(paths, 5)] == ["0", "5", "10", "15", "20"]
    assert [path.stem for path in spread(paths[:3], 5)] == ["0", "1", "2", "0", "1"]
