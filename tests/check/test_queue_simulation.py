"""The simulated queue, compared with what can be calculated."""

import random

import boto3
import numpy as np
import pytest

from bench import plot
from bench.queue import Arrivals, Simulation, burst, constant
from bench.queue_model import Retry, Scaling, ServiceTime, Worker
from bench.queue_scenarios import run_bursts
from landmarks.errors import ServiceError
from worker.queue import Retries

STEADY = ServiceTime(median=0.1, p95=0.1)


def at_once(functions: int) -> Scaling:
    """All functions from the start."""
    return Scaling(start=functions, maximum=functions)


def simulate(
    arrivals: Arrivals,
    worker: Worker,
    scaling: Scaling,
    *,
    sample_seconds: float = 1,
    seed: int = 1,
) -> Simulation:
    """A finished run."""
    simulation = Simulation(arrivals, worker, scaling, seed=seed)
    simulation.run(sample_seconds)
    return simulation


@pytest.mark.parametrize(
    ("images", "functions", "seconds"),
    [(10_000, 10, 100), (1000, 4, 25), (1001, 4, 25.1), (10, 1000, 1), (7, 1, 0.7)],
)
def test_a_burst_takes_its_work_divided_by_the_functions(
    images: int, functions: int, seconds: float
) -> None:
    """With constant service times, down to the last batch."""
    totals = simulate(burst(images), Worker(service=STEADY), at_once(functions)).totals

    assert totals.drained_seconds == pytest.approx(seconds)
    assert (totals.done, totals.dead) == (images, 0)


@pytest.mark.parametrize("maximum", [2, 5, 10, 100, 1000])
def test_scaling_up_agrees_with_the_formula(maximum: int) -> None:
    """5 functions and 5 more each second, up to the maximum."""
    images, scaling = 200_000, Scaling(maximum=maximum)

    simulation = simulate(burst(images), Worker(service=STEADY), scaling)

    expected = scaling.drain_seconds(images * STEADY.mean)
    assert simulation.totals.drained_seconds == pytest.approx(expected, rel=0.02)
    assert max(simulation.timeline.functions) <= maximum + 1e-6


def test_the_backlog_grows_by_what_exceeds_the_capacity() -> None:
    """150 a second with a capacity of 100: after a minute 3,000 wait, the oldest for 20 s."""
    simulation = simulate(constant(150, 60), Worker(service=STEADY), at_once(10))

    assert simulation.timeline.waiting[60] == pytest.approx(3000, rel=0.05)
    assert simulation.timeline.oldest_seconds[60] == pytest.approx(20, rel=0.05)
    assert simulation.totals.drained_seconds == pytest.approx(90, rel=0.01)


def test_every_function_starts_once() -> None:
    """A cold start is added once, not to every batch."""
    worker = Worker(service=STEADY, init_seconds=2)
    totals = simulate(burst(1000), worker, at_once(10)).totals

    assert (totals.cold_starts, totals.invocations) == (10, 100)
    assert totals.drained_seconds == pytest.approx(2 + 10)


def test_a_window_fills_batches() -> None:
    """One image a second and a window of 5.5 s: batches of 6."""
    worker = Worker(service=STEADY, window_seconds=5.5)

    assert simulate(constant(1, 60), Worker(service=STEADY), at_once(5)).totals.invocations == 60
    assert simulate(constant(1, 60), worker, at_once(5)).totals.invocations == 10


def test_same_seed_gives_the_same_run() -> None:
    """Another seed gives another run."""
    worker = Worker(service=ServiceTime(median=0.1, p95=0.2), failure_share=0.1)
    first, again, other = (
        simulate(burst(2000), worker, Scaling(maximum=20), sample_seconds=60, seed=seed)
        for seed in (1, 1, 2)
    )

    assert first.timeline == again.timeline
    assert first.totals == again.totals
    assert first.totals != other.totals


def test_hopeless_images_become_dead_letters() -> None:
    """After 8 receives with their delays: half to all of 4 h 21 min."""
    worker = Worker(service=STEADY, failure_share=1)
    simulation = simulate(burst(50), worker, at_once(10), sample_seconds=60)
    longest = 60 + 240 + 960 + 4 * 3600

    assert (simulation.totals.done, simulation.totals.dead) == (0, 50)
    assert longest / 2 < simulation.totals.drained_seconds < longest + 20
    assert max(simulation.timeline.delayed) == 50
    assert simulation.timeline.delayed[-1] == simulation.timeline.waiting[-1] == 0


@pytest.mark.parametrize("attempts", range(1, 9))
def test_retries_are_those_of_the_worker(attempts: int) -> None:
    """The shortest and the longest delay are those of worker/queue.py."""
    random.seed(1)
    sqs = boto3.client("sqs", region_name="us-east-1")  # never called
    retries = Retries(sqs, None, base_seconds=60)
    chance = np.random.default_rng(1)

    theirs = [retries.delay_seconds(attempts, ServiceError("a test")) for _ in range(3000)]
    ours = [Retry().delay(attempts, chance) for _ in range(3000)]

    assert min(ours) == pytest.approx(min(theirs), rel=0.02)
    assert max(ours) == pytest.approx(max(theirs), rel=0.02)


def test_plot_finds_its_columns() -> None:
    """There is a value for each moment, from all but 5 batches of 10 to none."""
    runs = run_bursts(Worker(service=STEADY), images=2000)

    for run in runs:
        assert {len(run[name]) for name, _, _ in plot._ROWS} == {len(run["seconds"])}
        assert (run["waiting"][0], run["waiting"][-1]) == (1950, 0)
    assert len(runs) == len(plot._COLOURS)
