"""How long deployed functions take for a photograph, and what it costs on each processor.

`python -m bench.on_lambda FUNCTION... --bucket BUCKET --key KEY` invokes the functions in turn,
with the credentials and region of the environment. Each invocation processes the photograph again
and costs money. To compare processors, deploy a stack for each value of `Architecture`.
"""

import argparse
import base64
import json
import re
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import boto3

from bench import prices

_BILLED: Final = re.compile(r"REPORT RequestId:.*\tBilled Duration: (\d+) ms")


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function.

    Attributes:
        name: its name or ARN.
        architecture: "x86_64" or "arm64".
        memory_mb: its memory.
    """

    name: str
    architecture: str
    memory_mb: int

    def dollars(self, milliseconds: float) -> float:
        """The price of a million invocations of this length, without requests."""
        gigabytes = self.memory_mb / prices.LAMBDA_MEGABYTES_A_GB
        price = prices.LAMBDA_GB_SECOND[self.architecture]
        return milliseconds / 1000 * gigabytes * price * prices.MILLION


class InvocationError(Exception):
    """Raised when a function does not return landmarks; the message is its answer."""


def look_up(client: Any, name: str) -> Function:  # noqa: ANN401, boto3's client
    """Ask Lambda about a function."""
    facts = client.get_function_configuration(FunctionName=name)
    return Function(name, facts["Architectures"][0], facts["MemorySize"])


def measure(
    client: Any,  # noqa: ANN401, boto3's client
    functions: Sequence[Function],
    event: object,
    rounds: int,
) -> dict[str, list[int]]:
    """Invoke the functions in turn; returns the billed milliseconds of each.

    The first invocation of each, a cold start, is not counted.

    Raises:
        InvocationError: a function does not return landmarks.
    """
    taken: dict[str, list[int]] = {function.name: [] for function in functions}
    for number in range(rounds + 1):
        for function in functions:
            milliseconds = _invoke(client, function.name, event)
            if number:
                taken[function.name].append(milliseconds)
    return taken


def _invoke(client: Any, name: str, event: object) -> int:  # noqa: ANN401, boto3's client
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
    body = answer["Payload"].read()
    said = json.loads(body)
    if not isinstance(said, dict) or said.get("statusCode") != HTTPStatus.OK:
        raise InvocationError(f"{name}: {body.decode(errors='replace')[:500]}")
    report = _BILLED.search(base64.b64decode(answer["LogResult"]).decode())
    if report is None:
        raise InvocationError(f"{name}: the end of the log has no REPORT line")
    return int(report[1])


def table(functions: Sequence[Function], taken: dict[str, list[int]]) -> str:
    """Format the medians, their ranges and prices."""
    lines = []
    for function in functions:
        times = sorted(taken[function.name])
        median = statistics.median(times)
        lines.append(
            f"{function.architecture:8}{median:7,.0f} ms ({times[0]:,} to {times[-1]:,}), "
            f"{function.dollars(median):.2f} $ a million  {function.name}, "
            f"{function.memory_mb:,} MB\n"
        )
    return "".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.on_lambda", description=(__doc__ or "").split("\n\n", 1)[0]
    )
    parser.add_argument("functions", nargs="+", metavar="FUNCTION", help="name or ARN")
    parser.add_argument("--bucket", required=True, help="bucket of the photograph")
    parser.add_argument("--key", required=True, help="its key")
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    options = parser.parse_args(arguments)
    client = boto3.client("lambda")
    functions = [look_up(client, name) for name in options.functions]
    event = {"bucket": options.bucket, "key": options.key, "force": True}
    try:
        taken = measure(client, functions, event, max(1, options.rounds))
    except InvocationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(table(functions, taken))
    return 0


if __name__ == "__main__":
    sys.exit(main())
