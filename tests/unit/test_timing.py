"""Stopwatch and forecast, with a clock that only the test advances."""

from typing import Final

import pytest

from landmarks.errors import DeadlineError
from worker.deadline import Forecast, Stopwatch

START: Final = 1000.0


class Clock:
    """Replaces the module `time`."""

    def __init__(self) -> None:
        self.now = START

    def monotonic(self) -> float:
        """Return the test's time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of `worker.deadline`."""
    clock = Clock()
    monkeypatch.setattr("worker.deadline.time", clock)
    return clock


def has_time(forecast: Forecast, clock: Clock, seconds: float) -> bool:
    """Return whether a job would be started this long before the deadline."""
    try:
        forecast.require_time(clock.now + seconds)
    except DeadlineError:
        return False
    return True


def work(forecast: Forecast, clock: Clock, *jobs: float) -> None:
    """Run jobs that take this many seconds."""
    for seconds in jobs:
        with forecast.measured():
            clock.now += seconds


def test_stopwatch_counts_laps_and_all(clock: Clock) -> None:
    """A lap starts where the last one ended, and milliseconds are rounded."""
    stopwatch = Stopwatch()
    clock.now += 0.1
    first = stopwatch.lap_ms()
    clock.now += 0.0206
    second = stopwatch.lap_ms()
    clock.now += 1

    assert (first, second, stopwatch.total_ms()) == (100, 21, 1121)


def test_first_job_needs_two_seconds(clock: Clock) -> None:
    """Until jobs have finished, a duration of one second is assumed."""
    assert not has_time(Forecast(), clock, 1.9)
    assert has_time(Forecast(), clock, 2.0)


def test_deadline_in_the_past_is_an_error(clock: Clock) -> None:
    """A deadline in the past is like one that is too close."""
    with pytest.raises(DeadlineError, match="not started: not enough time left"):
        Forecast().require_time(clock.now - 5)


def test_fast_jobs_need_less_time(clock: Clock) -> None:
    """Fast jobs need twice their duration."""
    forecast = Forecast()
    work(forecast, clock, *[0.1] * 20)

    assert has_time(forecast, clock, 0.21)
    assert not has_time(forecast, clock, 0.19)


def test_slow_jobs_need_more_time(clock: Clock) -> None:
    """Slow jobs count once they outnumber the initial guesses."""
    forecast = Forecast()
    work(forecast, clock, *[4.0] * 3)

    assert has_time(forecast, clock, 8.1)
    assert not has_time(forecast, clock, 7.9)


@pytest.mark.parametrize("usual", [0, 1, 5, 20])
def test_one_slow_job_does_not_count(usual: int, clock: Clock) -> None:
    """One image that breaks two detectors takes half a minute, but others don't."""
    forecast = Forecast()
    work(forecast, clock, *[0.1] * usual, 30)

    assert has_time(forecast, clock, 2.1)


def test_a_crowd_may_follow_many_portraits(clock: Clock) -> None:
    """Time for everyone who is looked for is left, however few people recent images showed."""
    forecast = Forecast(max_people=16)
    work(forecast, clock, *[0.1] * 20)

    assert has_time(forecast, clock, 2.46)
    assert not has_time(forecast, clock, 2.44)


def test_slow_jobs_are_forgotten_while_none_is_started(clock: Clock) -> None:
    """Otherwise, a worker with slow jobs would never start another one."""
    forecast = Forecast()
    work(forecast, clock, *[30.0] * 20)

    tries = [has_time(forecast, clock, 50) for _ in range(20)]

    assert not tries[0]
    assert tries[-1]


def test_failed_jobs_do_not_count(clock: Clock) -> None:
    """A failed job may have ended early."""
    forecast = Forecast()

    def fail() -> None:
        clock.now += 0.01
        raise RuntimeError

    for _ in range(20):
        with pytest.raises(RuntimeError), forecast.measured():
            fail()

    assert not has_time(forecast, clock, 1.9)
