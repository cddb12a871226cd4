"""The protocol of the measured programs."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def answer_requests(answer: Callable[[Any], Any]) -> None:
    """Say that the program is ready, then answer each line of standard input."""
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8", buffering=1) as answers:
        answers.write("null\n")
        for line in sys.stdin:
            answers.write(f"{json.dumps(answer(json.loads(line)))}\n")
