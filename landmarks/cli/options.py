"""Options that commands share: where queue and table are, and values of one form."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

import click

from landmarks.cli.advice import WrongCallError

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_sqs import SQSClient

Command = TypeVar("Command", bound=Callable[..., object])


# Where `landmarks local` writes, and where --local looks.
LOCAL_FOLDER: Final = Path("build/local")


_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Option(Protocol):
    """Gives a command an option."""

    def __call__(self, command: Command, /) -> Command:
        """The same command, with the option."""
        ...


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


def missing(option: str, variable: str) -> click.UsageError:
    """What to do about a name that was not given."""
    return click.UsageError(f"{option} is missing: name it, set {variable}, or use --local")


def require_queue_url(url: str | None) -> str:
    """The URL of the queue that jobs go to.

    Raises:
        UsageError: there is none.
    """
    if not url:
        raise missing("--queue-url", "QUEUE_URL")
    return url


def _required(_: click.Context, param: click.Parameter, value: str | None) -> str:
    if not value:
        raise missing(param.opts[0], str(param.envvar))
    return value


def _standard_queue(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    if url and url.endswith(".fifo"):
        raise WrongCallError(f"{url}: FIFO queues are not supported: name a standard queue")
    return url


def _use_endpoint(context: click.Context, _: click.Parameter, url: str | None) -> None:
    if url:  # the variable is where both boto3 and PynamoDB look
        context.with_resource(_environment({**os.environ, "AWS_ENDPOINT_URL": url}))


def _use_local(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001, click's
    if wanted:
        from landmarks.local.session import local_environment  # noqa: PLC0415, rarely needed

        context.with_resource(_environment(local_environment(LOCAL_FOLDER, os.environ)))


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _name(
    option: str,
    variable: str,
    words: str,
    check: Callable[[click.Context, click.Parameter, str | None], str | None] | None = None,
) -> Option:
    return click.option(
        option,
        envvar=variable,
        metavar="NAME" if option == "--table" else "URL",
        callback=check,
        help=f"{words}  [env: {variable}]",
    )


_QUEUE: Final = ("--queue-url", "QUEUE_URL")


_DEAD_LETTERS: Final = ("--dead-letter-queue-url", "DEAD_LETTER_QUEUE_URL")


_TABLE: Final = ("--table", "RESULTS_TABLE")


QUEUE_URL: Final = _name(*_QUEUE, "The queue.")


TARGET_QUEUE_URL: Final = _name(*_QUEUE, "The queue that jobs go to, no FIFO.", _standard_queue)


DEAD_LETTER_QUEUE_URL: Final = _name(*_DEAD_LETTERS, "The dead-letter queue.")


REQUIRED_DEAD_LETTER_QUEUE_URL: Final = _name(*_DEAD_LETTERS, "The dead-letter queue.", _required)


TABLE: Final = _name(*_TABLE, "The results table.")


REQUIRED_TABLE: Final = _name(*_TABLE, "The results table.", _required)


STATUS: Final = click.option(
    "--status",
    type=click.Choice(["detected", "not_detected", "failed"]),
    help="Only results with this status.",
)


def output_option(words: str, *, default: Path | None = None, required: bool = False) -> Option:
    """The file that a command writes.

    Args:
        words: what it is, for `--help`.
        default: where to if nothing is said.
        required: whether something has to be said.
    """
    # None would be a default, for click, and nothing would be required then.
    given: dict[str, Any] = {} if default is None else {"default": default}
    return click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        show_default=True,
        required=required,
        help=words,
        **given,
    )


_ENDPOINT_URL: Final = click.option(
    "--endpoint-url",
    metavar="URL",
    expose_value=False,
    callback=_use_endpoint,
    help="A stand-in for AWS.  [env: AWS_ENDPOINT_URL]",
)


_LOCAL: Final = click.option(
    "--local",
    is_flag=True,
    is_eager=True,  # before the others look into the environment
    expose_value=False,
    callback=_use_local,
    help="Use the stack that `landmarks local` runs here.",
)


def stack_options(*names: Option) -> Option:
    """The options by which a command is told where something is, and on which AWS.

    Args:
        names: of what the command works with.
    """

    def decorate(command: Command) -> Command:
        for option in reversed((*names, _ENDPOINT_URL, _LOCAL)):
            command = option(command)
        return command

    return decorate


_REGION: Final = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com")


def queue_client(url: str | None, config: "Config | None" = None) -> "SQSClient":
    """A client for the queue at `url`, in its region; else in the environment's."""
    import boto3  # noqa: PLC0415, takes 0.1 s, and whoever asks for a name needs none

    region = _REGION.match(url or "")
    return boto3.client("sqs", region_name=region[1] if region else None, config=config)


def queue_name(url: str) -> str:
    """The last part of a queue's URL."""
    return url.rstrip("/").rpartition("/")[2]
