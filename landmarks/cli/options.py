"""Options and parameter types shared by several commands."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import boto3
import click
from click.core import ParameterSource

from landmarks.cli.atomic import refuse_existing
from landmarks.cli.connection import Command, connection_options, stack_variables, use_environment
from landmarks.enums import DETECTED, FAILED, NOT_DETECTED
from landmarks.job import split_address

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_sqs import SQSClient

_FORCE: Final = f"{__name__}.force"

# A queue in another region needs a client for that region.
_QUEUE_REGION: Final = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com")

# In all partitions, VPC endpoints included: https://docs.aws.amazon.com/general/latest/gr/rande.html
_AWS_HOST: Final = re.compile(r"\.(amazonaws\.|api\.aws$)")


class Option(Protocol):
    """A decorator that adds an option to a command."""

    def __call__(self, command: Command, /) -> Command:
        """Return the command with the option."""
        ...


class Place(NamedTuple):
    """A bucket, and which of its keys.

    Attributes:
        bucket: the bucket.
        prefix: `photos/` or `photos` for everything below that folder, `photos/a.jpg` for that
            object, `photos/IMG_1*` for all keys that begin with `photos/IMG_1`, "" for all.
    """

    bucket: str
    prefix: str

    @property
    def address(self) -> str:
        """The address as it was typed."""
        return f"s3://{self.bucket}/{self.prefix}"

    @property
    def start(self) -> str:
        """What all selected keys begin with."""
        return self.prefix.removesuffix("*")

    @property
    def is_name(self) -> bool:
        """Whether this is the name of a folder or an object, so that others may begin with it."""
        return bool(self.prefix) and not self.prefix.endswith(("/", "*"))

    def selects(self, key: str) -> bool:
        """Return whether a key of this bucket is selected."""
        if self.is_name:
            return key == self.prefix or key.startswith(f"{self.prefix}/")
        return key.startswith(self.start)


class Duration(click.ParamType[timedelta]):
    """A number with a unit: 90s, 15m, 24h, 7d, 2w."""

    name = "duration"
    _UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    _LONGEST: Final = timedelta(days=36_500)  # can still be subtracted from today's date

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> timedelta:
        """Parse a duration of up to 100 years."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"([1-9][0-9]{0,7})([smhdw])", str(value))
        duration = timedelta(**{self._UNITS[match[2]]: int(match[1])}) if match else None
        if duration is None or duration > self._LONGEST:
            self.fail(
                f"{value!r} is not a duration such as 90s, 15m, 24h, 7d or 2w (up to 100 years)",
                param,
                ctx,
            )
        return duration


class S3Place(click.ParamType[Place]):
    """An address such as s3://bucket/folder; s3://bucket is the whole bucket."""

    name = "s3 address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Place:
        """Parse an address."""
        bucket, prefix = split_address(str(value))
        if not str(value).startswith("s3://") or not bucket:
            self.fail(f"{value!r} is not an address such as s3://bucket/prefix", param, ctx)
        return Place(bucket, prefix)


def _missing(option: str, variable: str) -> click.UsageError:
    """Return the error for a missing required option."""
    return click.UsageError(
        f"{option} is missing: specify it, set {variable}, or use --stack or --local"
    )


def require_queue_url(url: str | None) -> str:
    """Return the job queue's URL, for commands that only sometimes need it.

    Raises:
        UsageError: it is missing.
    """
    if not url:
        raise _missing("--queue-url", "QUEUE_URL")
    return url


def _use_max_people(context: click.Context, _: click.Parameter, count: int | None) -> None:
    if count:  # for the worker that the command starts
        use_environment(context, {**os.environ, "MAX_PEOPLE": str(count)})


def _named(context: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return the given name or the selected stack's; the command line wins over variables."""
    sources = (context.get_parameter_source(param.name), context.get_parameter_source("stack"))
    if value is None or sources == (ParameterSource.ENVIRONMENT, ParameterSource.COMMANDLINE):
        return stack_variables(context).get(str(param.envvar), value)
    return value


def _required(context: click.Context, param: click.Parameter, value: str | None) -> str:
    name = _named(context, param, value)
    if not name:
        raise _missing(param.opts[0], str(param.envvar))
    return name


def _name(option: str, variable: str, words: str, *, required: bool = False) -> Option:
    return click.option(
        option,
        envvar=variable,
        metavar="NAME" if option == "--table" else "URL",
        callback=_required if required else _named,
        help=f"{words}  [env: {variable}]",
    )


_DEAD_LETTERS: Final = (
    "--dead-letter-queue-url",
    "DEAD_LETTER_QUEUE_URL",
    "URL of the dead-letter queue.",
)
_TABLE: Final = ("--table", "RESULTS_TABLE", "Name of the results table.")

QUEUE_URL: Final = _name("--queue-url", "QUEUE_URL", "URL of the job queue.")
DEAD_LETTER_QUEUE_URL: Final = _name(*_DEAD_LETTERS)
REQUIRED_DEAD_LETTER_QUEUE_URL: Final = _name(*_DEAD_LETTERS, required=True)
TABLE: Final = _name(*_TABLE)
REQUIRED_TABLE: Final = _name(*_TABLE, required=True)

STATUS: Final = click.option(
    "--status",
    type=click.Choice([DETECTED, NOT_DETECTED, FAILED]),
    help="Only results with this status.",
)

MAX_PEOPLE: Final = click.option(
    "--max-people",
    type=click.IntRange(1, 16),
    metavar="COUNT",
    expose_value=False,
    callback=_use_max_people,
    help="How many people to look for in a photo.  [env: MAX_PEOPLE; default: 1]",
)


def stack_options(*names: Option) -> Option:
    """Add the given options, and those that select the services, to a command."""

    def decorate(command: Command) -> Command:
        command = connection_options(command)
        for option in reversed(names):
            command = option(command)
        return command

    return decorate


def _remember_force(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001, click's
    context.meta[_FORCE] = wanted


def _keep_existing(
    context: click.Context, param: click.Parameter, file: Path | None
) -> Path | None:
    named = context.get_parameter_source(str(param.name)) is not ParameterSource.DEFAULT
    if file and named and not context.meta[_FORCE]:
        refuse_existing([file])
    return file


def output_option(words: str, *, default: Path | None = None, required: bool = False) -> Option:
    """Return the options -o/--output, with the given help text, and --force.

    A file that the user named is kept unless forced. One with the default name is replaced.
    """
    # click treats an explicit None as a default, and would not require the option.
    given: dict[str, Any] = {} if default is None else {"default": default}
    output = click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        show_default=True,
        required=required,
        callback=_keep_existing,
        help=words,
        **given,
    )
    force = click.option(
        "--force",
        is_flag=True,
        is_eager=True,  # must run before --output
        expose_value=False,
        callback=_remember_force,
        help="Replace FILE if it exists.",
    )

    def decorate(command: Command) -> Command:
        return output(force(command))

    return decorate


def queue_client(url: str | None, config: "Config | None" = None) -> "SQSClient":
    """Return an SQS client for the region in a queue's URL, or else the environment's."""
    region = _QUEUE_REGION.match(url or "")
    return boto3.client("sqs", region_name=region[1] if region else None, config=config)


def queue_name(url: str) -> str:
    """Return the last part of a queue's URL."""
    return url.rstrip("/").rpartition("/")[2]


def is_aws(url: str) -> bool:
    """Return whether a URL is AWS's, and not that of a local stack or another emulator."""
    return bool(_AWS_HOST.search(urlsplit(url).hostname or ""))


def is_fifo(url: str) -> bool:
    """Return whether a URL is that of a FIFO queue, whose name always ends in `.fifo`."""
    return queue_name(url).endswith(".fifo")
