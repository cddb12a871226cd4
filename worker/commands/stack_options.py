"""Options by which commands are told where queue and table are, and values that they share."""

import os
import re
from datetime import timedelta
from typing import Final, NamedTuple

import click

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Place(NamedTuple):
    """A bucket and how keys in it begin."""

    bucket: str
    prefix: str


class Duration(click.ParamType[timedelta]):
    """Such as 90s, 15m, 2h or 1d."""

    name = "duration"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> timedelta:
        """Read a number with a unit."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", str(value))
        if not match:
            self.fail(f"{value!r} is no duration such as 90s, 15m, 2h or 1d", param, ctx)
        return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


class S3Place(click.ParamType[Place]):
    """Such as s3://bucket/prefix."""

    name = "s3 address"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Place:
        """Read an address; a bucket alone is all of it."""
        bucket, _, prefix = str(value).removeprefix("s3://").partition("/")
        if not str(value).startswith("s3://") or not bucket:
            self.fail(f"{value!r} is no address such as s3://bucket/prefix", param, ctx)
        return Place(bucket, prefix)


def _use_endpoint(_: click.Context, __: click.Parameter, url: str | None) -> None:
    if url:
        os.environ["AWS_ENDPOINT_URL"] = url  # where both boto3 and PynamoDB look


QUEUE_URL: Final = click.option(
    "--queue-url", envvar="QUEUE_URL", metavar="URL", help="The queue.  [env: QUEUE_URL]"
)
REQUIRED_QUEUE_URL: Final = click.option(
    "--queue-url",
    envvar="QUEUE_URL",
    required=True,
    metavar="URL",
    help="The queue that jobs go to.  [env: QUEUE_URL]",
)
DEAD_LETTER_QUEUE_URL: Final = click.option(
    "--dead-letter-queue-url",
    envvar="DEAD_LETTER_QUEUE_URL",
    metavar="URL",
    help="The dead-letter queue.  [env: DEAD_LETTER_QUEUE_URL]",
)
REQUIRED_DEAD_LETTER_QUEUE_URL: Final = click.option(
    "--dead-letter-queue-url",
    envvar="DEAD_LETTER_QUEUE_URL",
    required=True,
    metavar="URL",
    help="The dead-letter queue.  [env: DEAD_LETTER_QUEUE_URL]",
)
TABLE: Final = click.option(
    "--table", envvar="RESULTS_TABLE", metavar="NAME", help="The table.  [env: RESULTS_TABLE]"
)
REQUIRED_TABLE: Final = click.option(
    "--table",
    envvar="RESULTS_TABLE",
    required=True,
    metavar="NAME",
    help="The results table.  [env: RESULTS_TABLE]",
)
ENDPOINT_URL: Final = click.option(
    "--endpoint-url",
    metavar="URL",
    expose_value=False,
    callback=_use_endpoint,
    help="A stand-in for AWS.  [env: AWS_ENDPOINT_URL]",
)
