"""The simulated queue, held against what can be calculated."""

import random

import boto3
import numpy as np
import pytest

from bench import plot
from bench.queue import Arrivals, Simulation, burst, constant, daily_wave
from bench.queue_model import Retry, Scaling, ServiceTime, Worker
from bench.queue_scenarios import measured_worker, run_bursts
from landmarks.errors import ServiceError
from worker.queue import Retries

STEADY = ServiceTime(median=0.1, p95=0.1)


def at_once(functions: int) -> Scaling:
    """So many functions from the start."""
    return Scaling(start=functions, maximum=functions)


def simulate(
    arrivals: Arrivals,
    worker: Worker,
    scaling: Scaling,
    *,
    sample_seconds: float = 1,
    seed: int = 1,
) -> Simulation:
    """A run that is over."""
    simulation = Simulation(arrivals, worker, scaling, seed=seed)
    simulation.run(sample_seconds)
    return simulation


@pytest.mark.parametrize(
    ("images", "functions", "seconds"),
    [(10_000, 10, 100), (1000, 4, 25), (1001, 4, 25.1), (10, 1000, 1), (7, 1, 0.7)],
)
def test_burst_takes_its_work_over_the_functions(
    images: int, functions: int, seconds: float
) -> None:
    """With constant service, to the last batch: images by seconds over functions."""
    totals = simulate(burst(images), Worker(service=STEADY), at_once(functions)).totals

    assert totals.drained_seconds == pytest.approx(seconds)
    assert (totals.done, totals.dead) == (images, 0)


@pytest.mark.parametrize("maximum", [2, 5, 10, 100, 1000])
def test_ramp_takes_what_the_formula_says(maximum: int) -> None:
    """5 functions and 5 more each second, until there are enough."""
    images, scaling = 200_000, Scaling(maximum=maximum)

    simulation = simulate(burst(images), Worker(service=STEADY), scaling)

    expected = scaling.drain_seconds(images * STEADY.mean)
    assert simulation.totals.drained_seconds == pytest.approx(expected, rel=0.02)
    assert max(simulation.timeline.functions) <= maximum + 1e-6


@pytest.mark.parametrize("seconds", [0.5, 19, 19.5, 3600])
def test_formulas_of_the_ramp_are_inverse(seconds: float) -> None:
    """Before, at and after its end, which is at 19 s for 100 functions."""
    scaling = Scaling(maximum=100)

    assert scaling.full_seconds == pytest.approx(19)
    assert scaling.drain_seconds(scaling.work_seconds(seconds)) == pytest.approx(seconds)


def test_work_of_the_ramp_is_its_area() -> None:
    """10 s from 5 to 55 functions are 300 s of work; a minute at 100 after 19 s more is 6,000."""
    scaling = Scaling(maximum=100)

    assert scaling.work_seconds(10) == pytest.approx(300)
    assert scaling.work_seconds(79) - scaling.work_seconds(19) == pytest.approx(6000)


def test_functions_grow_by_five_a_second() -> None:
    """One sample is the mean of its second."""
    simulation = simulate(burst(100_000), Worker(service=STEADY), Scaling())

    assert simulation.timeline.functions[11] == pytest.approx(5 + 5 * 10.5, abs=1)


def test_backlog_stays_small_below_capacity() -> None:
    """80 images a second where 100 can be done, for ten minutes: no more than a few wait."""
    simulation = simulate(constant(80, 600), Worker(service=STEADY), at_once(10))

    assert max(simulation.timeline.waiting) < 100
    assert simulation.totals.done == 48_000
    assert simulation.totals.drained_seconds < 602


def test_backlog_grows_by_what_is_beyond_capacity() -> None:
    """150 a second where 100 can be done: after a minute 3,000 wait, for 20 s of it."""
    simulation = simulate(constant(150, 60), Worker(service=STEADY), at_once(10))

    assert simulation.timeline.waiting[60] == pytest.approx(3000, rel=0.05)
    assert simulation.timeline.oldest_seconds[60] == pytest.approx(20, rel=0.05)
    assert simulation.totals.drained_seconds == pytest.approx(90, rel=0.01)


def test_functions_at_work_are_littles_law() -> None:
    """40 a second for 0.1 s each: 4 functions at work in the mean."""
    simulation = simulate(constant(40, 300), Worker(service=STEADY), at_once(10))

    assert np.mean(simulation.timeline.functions[10:290]) == pytest.approx(4, rel=0.02)


def test_scaling_begins_anew_after_a_pause() -> None:
    """The second burst finds 5 functions again, and takes as long as the first."""
    worker, scaling = Worker(service=STEADY), Scaling(maximum=100)
    once = simulate(burst(20_000), worker, scaling).totals.drained_seconds

    twice = simulate([(0, 20_000), (1000, 20_000)], worker, scaling).totals.drained_seconds

    assert twice == pytest.approx(1000 + once, rel=0.001)


def test_every_function_starts_once() -> None:
    """What a cold start takes is added once, not to every batch."""
    worker = Worker(service=STEADY, init_seconds=2)
    totals = simulate(burst(1000), worker, at_once(10)).totals

    assert (totals.cold_starts, totals.invocations) == (10, 100)
    assert totals.drained_seconds == pytest.approx(2 + 10)


@pytest.mark.parametrize(("pause", "cold_starts"), [(200, 1), (400, 2)])
def test_sandbox_is_kept_for_a_while(pause: float, cold_starts: int) -> None:
    """300 s after its last work it is gone."""
    worker = Worker(service=STEADY, init_seconds=1, kept_seconds=300)

    assert simulate([(0, 1), (pause, 1)], worker, at_once(5)).totals.cold_starts == cold_starts


def test_window_lets_a_batch_fill() -> None:
    """One image a second and 5.5 s of patience: batches of 6."""
    worker = Worker(service=STEADY, window_seconds=5.5)

    assert simulate(constant(1, 60), Worker(service=STEADY), at_once(5)).totals.invocations == 60
    assert simulate(constant(1, 60), worker, at_once(5)).totals.invocations == 10


def test_full_batch_does_not_wait_for_its_window() -> None:
    """A hundred at once are ten batches, and done at once."""
    worker = Worker(service=STEADY, window_seconds=300)

    assert simulate(burst(100), worker, at_once(10)).totals.drained_seconds == pytest.approx(1)


def test_lognormal_has_the_measured_median_and_percentile() -> None:
    """And its mean is the one that capacity is calculated with."""
    service, chance = ServiceTime(median=0.08, p95=0.12), np.random.default_rng(1)
    drawn = [service.draw(chance, 1) for _ in range(20_000)]

    assert np.median(drawn) == pytest.approx(0.08, rel=0.01)
    assert np.percentile(drawn, 95) == pytest.approx(0.12, rel=0.01)
    assert np.mean(drawn) == pytest.approx(service.mean, rel=0.01)


def test_percentile_below_the_median_is_refused() -> None:
    """Figures of different runs may not fit together."""
    with pytest.raises(ValueError, match="are they of one run"):
        ServiceTime(median=0.12, p95=0.115)


def test_varying_times_change_the_drain_by_their_mean_only() -> None:
    """With many batches a function, chance cancels."""
    service = ServiceTime(median=0.083, p95=0.2)
    totals = simulate(burst(50_000), Worker(service=service), at_once(10)).totals

    assert totals.drained_seconds == pytest.approx(50_000 * service.mean / 10, rel=0.02)


def test_same_seed_gives_the_same_run() -> None:
    """Another one another."""
    worker = Worker(service=ServiceTime(median=0.1, p95=0.2), failure_share=0.1)
    first, again, other = (
        simulate(burst(2000), worker, Scaling(maximum=20), sample_seconds=60, seed=seed)
        for seed in (1, 1, 2)
    )

    assert first.timeline == again.timeline
    assert first.totals == again.totals
    assert first.totals != other.totals


def test_failed_images_come_again_until_they_are_done() -> None:
    """A tenth fails each time: a ninth more work, nothing lost, and it takes their delays."""
    worker = Worker(service=STEADY, failure_share=0.1, batch_size=1)
    totals = simulate(burst(10_000), worker, at_once(100), sample_seconds=60).totals

    assert totals.done + totals.dead == 10_000
    assert totals.dead <= 1  # 0.1 to the power of 8, of 10,000, are 0.0001
    assert totals.invocations == pytest.approx(10_000 / 0.9, rel=0.02)
    assert totals.drained_seconds > 480  # the third retry alone waits for so long


def test_hopeless_images_become_dead_letters() -> None:
    """After 8 receives and the delays between them: half to all of 4 h 21 min."""
    worker = Worker(service=STEADY, failure_share=1)
    simulation = simulate(burst(50), worker, at_once(10), sample_seconds=60)
    longest = 60 + 240 + 960 + 4 * 3600

    assert (simulation.totals.done, simulation.totals.dead) == (0, 50)
    assert longest / 2 < simulation.totals.drained_seconds < longest + 20
    assert max(simulation.timeline.delayed) == 50
    assert simulation.timeline.delayed[-1] == simulation.timeline.waiting[-1] == 0


@pytest.mark.parametrize("attempts", range(1, 9))
def test_retries_are_the_workers(attempts: int) -> None:
    """The same shortest and longest delay as in worker/queue.py."""
    random.seed(1)
    sqs = boto3.client("sqs", region_name="us-east-1")  # never asked
    retries = Retries(sqs, None, base_seconds=60)
    chance = np.random.default_rng(1)

    theirs = [retries.delay_seconds(attempts, ServiceError("a test")) for _ in range(3000)]
    ours = [Retry().delay(attempts, chance) for _ in range(3000)]

    assert min(ours) == pytest.approx(min(theirs), rel=0.02)
    assert max(ours) == pytest.approx(max(theirs), rel=0.02)


def test_day_has_its_images_and_its_noon() -> None:
    """All of them come, and about noon twice as many a second as in the mean."""
    groups = list(daily_wave(864_000))
    noon = sum(count for second, count in groups if abs(second - 43_200) <= 300)

    assert sum(count for _, count in groups) == 864_000
    assert noon / 601 == pytest.approx(20, rel=0.01)
    assert max(second for second, _ in daily_wave(864_000, days=2)) > 86_400


def test_measured_worker_is_in_seconds() -> None:
    """Figures are milliseconds."""
    figures = {"worker_wall_ms": 80, "worker_wall_p95_ms": 120, "init_one_core_ms": 700}

    assert measured_worker(figures).service == ServiceTime(0.08, 0.12)
    assert measured_worker(figures).init_seconds == pytest.approx(0.7)


def test_plot_finds_its_columns() -> None:
    """What is drawn is there, one value a moment, from all but 5 batches of 10 to none."""
    runs = run_bursts(Worker(service=STEADY), images=2000)

    for run in runs:
        assert {len(run[name]) for name, _, _ in plot._ROWS} == {len(run["seconds"])}
        assert (run["waiting"][0], run["waiting"][-1]) == (1950, 0)
    assert len(runs) == len(plot._COLOURS)
