"""Entry point of the Lambda function. The cold start happens on import."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from landmarks.errors import LandmarkError
from worker.settings import Settings
from worker.startup import start_worker

if TYPE_CHECKING:
    from worker.handler import InvocationContext

try:
    _handler = start_worker(Settings.from_environment())
except LandmarkError:
    sys.tracebacklimit = 0  # Lambda's log then has the message alone, which says what to do
    raise


def lambda_handler(event: object, context: "InvocationContext") -> Mapping[str, Any]:
    """Answer one invocation: a batch of SQS messages, one image directly, or another event."""
    return _handler.handle(event, context)
