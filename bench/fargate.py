"""The rate above which Fargate is cheaper than Lambda, by list prices.

`python -m bench.fargate MILLISECONDS` takes the time of an image on one vCPU. SQS, S3 and DynamoDB
cost the same for both and are left out; so are logs, free tiers and savings plans.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench import prices

# The memory of one vCPU on Lambda.
LAMBDA_GB: Final = 1769 / prices.LAMBDA_MEGABYTES_A_GB
LAMBDA_BATCH: Final = 10

_MILLISECONDS_AN_HOUR: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """One vCPU on Fargate and on Lambda.

    Attributes:
        lambda_dollars_an_image: cost of an image on Lambda.
        fargate_dollars_an_hour: cost of a task, busy or not.
        break_even_images_an_hour: the rate at which both cost the same.
        most_images_an_hour: the capacity of one task.
    """

    lambda_dollars_an_image: float
    fargate_dollars_an_hour: float
    break_even_images_an_hour: float
    most_images_an_hour: float

    @property
    def utilisation(self) -> float:
        """The share of time that a task has to be busy to be cheaper; above 1 it never is."""
        return self.break_even_images_an_hour / self.most_images_an_hour


def compare(
    milliseconds: float,
    *,
    gigabytes: float = 4,
    batch: int = LAMBDA_BATCH,
    architecture: str = "x86_64",
) -> Comparison:
    """Compare the two.

    Args:
        milliseconds: time of an image on one vCPU.
        gigabytes: memory of a Fargate task of one vCPU.
        batch: messages in a Lambda invocation.
        architecture: of both, "x86_64" or "arm64".

    Raises:
        ValueError: one of them is not positive.
    """
    if not all(0 < value < math.inf for value in (milliseconds, gigabytes, batch)):
        raise ValueError("milliseconds, gigabytes and batch have to be positive")
    per_image = milliseconds / 1000 * LAMBDA_GB * prices.LAMBDA_GB_SECOND[architecture]
    per_image += prices.LAMBDA_MILLION_REQUESTS / prices.MILLION / batch
    memory = gigabytes * prices.FARGATE_GB_HOUR[architecture]
    per_hour = prices.FARGATE_VCPU_HOUR[architecture] + memory
    return Comparison(
        lambda_dollars_an_image=per_image,
        fargate_dollars_an_hour=per_hour,
        break_even_images_an_hour=per_hour / per_image,
        most_images_an_hour=_MILLISECONDS_AN_HOUR / milliseconds,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(prog="python -m bench.fargate", description=main.__doc__)
    parser.add_argument("milliseconds", type=float, help="time of an image on one vCPU")
    parser.add_argument("--gigabytes", type=float, default=4, help="of a task (default: 4)")
    parser.add_argument("--architecture", choices=prices.FARGATE_VCPU_HOUR, default="x86_64")
    options = parser.parse_args(arguments)
    try:
        result = compare(
            options.milliseconds, gigabytes=options.gigabytes, architecture=options.architecture
        )
    except ValueError as error:
        parser.error(str(error))
    least = result.fargate_dollars_an_hour / result.most_images_an_hour * prices.MILLION
    print(  # noqa: T201, the command's output
        f"Lambda      {result.lambda_dollars_an_image * prices.MILLION:.2f} $ a million images\n"
        f"Fargate     {least:.2f} $ a million images at full load, "
        f"{result.fargate_dollars_an_hour:.5f} $ an hour\n"
        f"break-even  {result.break_even_images_an_hour:,.0f} images an hour "
        f"({result.break_even_images_an_hour / 3600:.2f} a second): "
        f"a task busy for {result.utilisation:.0%} of its time"
    )


if __name__ == "__main__":
    main()
