"""Which request gets which fault, and what the services' errors look like.

The fault depends on the seed, on the request and on how often it was made before, not on the order
of threads.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from tests.chaos.plan import dice


class Service(StrEnum):
    """The services, by their names in request signatures."""

    S3 = "s3"
    SQS = "sqs"
    DYNAMODB = "dynamodb"


class FaultKind(StrEnum):
    """What happens to a request."""

    ERROR_500 = "error 500"
    ERROR_503 = "error 503"
    THROTTLED = "throttled"
    BAD_GATEWAY = "502 in HTML"
    LOST_ANSWER = "done, but answered by 500"
    SLOW = "slow"
    HANGING = "response too late"
    DRIPPING = "response in small pieces"
    CLOSED = "reset before the response"
    RESET = "reset during the response"
    TRUNCATED = "response truncated"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        kind: what happens.
        seconds: how long it takes.
    """

    kind: FaultKind
    seconds: float = 0


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        service: where it goes.
        operation: HTTP method or API action.
        subject: the object's key, if any.
    """

    service: Service
    operation: str
    subject: str


# Faults in a thousand requests, and their minimum and maximum duration in seconds.
RATES: Final[Mapping[FaultKind, tuple[float, float, float]]] = {
    FaultKind.ERROR_500: (30, 0, 0),
    FaultKind.ERROR_503: (20, 0, 0),
    FaultKind.THROTTLED: (20, 0, 0),
    FaultKind.BAD_GATEWAY: (10, 0, 0),
    FaultKind.LOST_ANSWER: (20, 0, 0),
    FaultKind.SLOW: (20, 0.2, 2),
    FaultKind.HANGING: (4, 5.5, 7),  # the worker's clients give up after 3 and 5 s
    FaultKind.DRIPPING: (6, 1, 3),
    FaultKind.CLOSED: (15, 0, 0),
    FaultKind.RESET: (20, 0, 0),
    FaultKind.TRUNCATED: (20, 0, 0),
}

# The services' own errors: status, code, message.
_WORDS: Final[Mapping[tuple[Service, FaultKind], tuple[int, str, str]]] = {
    (Service.S3, FaultKind.ERROR_500): (
        500,
        "InternalError",
        "We encountered an internal error. Please try again.",
    ),
    (Service.S3, FaultKind.ERROR_503): (
        503,
        "ServiceUnavailable",
        "Service is unable to handle request.",
    ),
    (Service.S3, FaultKind.THROTTLED): (503, "SlowDown", "Please reduce your request rate."),
    (Service.SQS, FaultKind.ERROR_500): (
        500,
        "com.amazonaws.sqs#InternalFailure",
        "The request processing has failed because of an unknown error.",
    ),
    (Service.SQS, FaultKind.ERROR_503): (
        503,
        "com.amazonaws.sqs#ServiceUnavailable",
        "The request has failed due to a temporary failure of the server.",
    ),
    (Service.SQS, FaultKind.THROTTLED): (
        400,
        "com.amazonaws.sqs#RequestThrottled",
        "Request is throttled.",
    ),
    (Service.DYNAMODB, FaultKind.ERROR_500): (
        500,
        "com.amazonaws.dynamodb.v20120810#InternalServerError",
        "The request processing has failed because of an unknown error, exception or failure.",
    ),
    (Service.DYNAMODB, FaultKind.ERROR_503): (
        503,
        "com.amazon.coral.availability#ServiceUnavailableException",
        "The service is currently unavailable or busy.",
    ),
    (Service.DYNAMODB, FaultKind.THROTTLED): (
        400,
        "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded.",
    ),
}

_REASONS: Final = {
    400: "Bad Request",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}

_ITEM_KEY: Final = re.compile(rb'"object_key"\s*:\s*\{\s*"S"\s*:\s*("(?:[^"\\]|\\.)*")')


class FaultDice:
    """Chooses faults."""

    def __init__(self, seed: int, rates: Mapping[FaultKind, tuple[float, float, float]]) -> None:
        """Choose by rates as in `RATES`."""
        self._seed = seed
        self._rates = rates
        self._asked = Counter[Request]()

    def __call__(self, request: Request) -> Fault | None:
        """The fault of this request; mostly none."""
        self._asked[request] += 1
        random = dice(self._seed, f"{request}{self._asked[request]}")
        throw = random.uniform(0, 1000)
        for kind, (rate, low, high) in self._rates.items():
            if throw < rate:
                return Fault(kind, random.uniform(low, high))
            throw -= rate
        return None


def read_request(service: Service, head: bytes, body: bytes) -> Request:
    """Parse a request."""
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    if service is Service.S3:
        return Request(service, method, unquote(target.partition("?")[0]))
    action = next((line for line in lines if line.lower().startswith("x-amz-target:")), "")
    found = _ITEM_KEY.search(body) if service is Service.DYNAMODB else None
    return Request(service, action.rpartition(".")[2], json.loads(found[1]) if found else "")


def error_answer(service: Service, kind: FaultKind) -> bytes:
    """A complete HTTP response."""
    if kind is FaultKind.BAD_GATEWAY:
        return _answer(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>")
    known = kind if (service, kind) in _WORDS else FaultKind.ERROR_500
    status, code, message = _WORDS[service, known]
    if service is Service.S3:
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>{message}</Message>"
            "<RequestId>4442587FB7D0A2F9</RequestId><HostId>chaos</HostId></Error>"
        )
        return _answer(status, "application/xml", text)
    return _answer(
        status, "application/x-amz-json-1.0", json.dumps({"__type": code, "message": message})
    )


def _answer(status: int, content_type: str, text: str) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(text.encode())}\r\n\r\n"
    )
    return head.encode() + text.encode()
