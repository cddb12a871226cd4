"""`python -m tests.chaos`: the worker with failing services, hostile files and killed processes.

It prints its plan, then its figures; the exit status is 1 unless all of them are good.
"""

import argparse
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from tests.chaos import report
from tests.chaos.run import Run
from tests.chaos.stories import make_plan

_MAX_SEED = 2**31


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="seed of the plan (default: random)")
    parser.add_argument(
        "--messages", type=int, default=2000, help="number of messages (default: 2000)"
    )
    parser.add_argument("--complexity", type=int, choices=(0, 1, 2), default=1, help="(default: 1)")
    parser.add_argument(
        "--max-people", type=int, default=1, help="how many people to look for (default: 1)"
    )
    options = parser.parse_args(arguments)
    seed = secrets.randbelow(_MAX_SEED) if options.seed is None else options.seed
    signal.signal(signal.SIGTERM, _interrupt)
    plan = make_plan(seed, options.messages)
    _say(f"make chaos SEED={seed} MESSAGES={options.messages} MAX_PEOPLE={options.max_people}")
    for name, value in plan.summary():
        _say(f"  {name}: {value}")
    run = Run(
        plan,
        options.complexity,
        lambda line: _say(f"{time.strftime('%X')} {line}"),
        max_people=options.max_people,
    )
    try:
        outcome = run.execute()
    except KeyboardInterrupt:
        _say(f"interrupted (seed {seed}), all processes are stopped; logs: {run.folder}")
        return 130
    good = all(figure.good for figure in report.figures(outcome))
    for line in report.lines(outcome):
        _say(line)
    if good:
        run.tidy()
        _say(f"passed (seed {seed})")
        return 0
    _say(f"failed (seed {seed}); logs: {run.folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
