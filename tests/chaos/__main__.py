"""`python -m tests.chaos`: a worker among failing services, hostile files and murdered processes.

It prints its plan, then its figures, and ends with 1 unless all of them are good.
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
    """Run, report, and tell whether all is well: 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of the plan; default: a new one")
    parser.add_argument("--messages", type=int, default=2000, help="about how many (2000)")
    parser.add_argument("--complexity", type=int, choices=(0, 1, 2), default=1, help="(1)")
    options = parser.parse_args(arguments)
    seed = secrets.randbelow(_MAX_SEED) if options.seed is None else options.seed
    signal.signal(signal.SIGTERM, _interrupt)
    plan = make_plan(seed, options.messages)
    _say(f"make chaos SEED={seed} MESSAGES={options.messages} COMPLEXITY={options.complexity}")
    for name, value in plan.summary():
        _say(f"  {name}: {value}")
    run = Run(plan, options.complexity, lambda line: _say(f"{time.strftime('%X')} {line}"))
    try:
        outcome = run.execute()
    except KeyboardInterrupt:
        _say(f"broken off (seed {seed}), everything that ran is ended; logs: {run.folder}")
        return 130
    good = all(figure.good for figure in report.figures(outcome))
    for line in report.lines(outcome):
        _say(line)
    if good:
        run.tidy()
        _say(f"all is well (seed {seed})")
        return 0
    _say(f"not well (seed {seed}); logs: {run.folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
