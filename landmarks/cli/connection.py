"""Options that select a command's services: --stack, --local, --profile, --region and the rest."""

import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar

import boto3
import click
from botocore.exceptions import ClientError
from click.core import ParameterSource

from landmarks.cli.advice import DENIED_CODES
from landmarks.cli.terminal import one_line

Command = TypeVar("Command", bound=Callable[..., object])

# `landmarks local` writes here, and --local reads from here.
LOCAL_FOLDER: Final = Path("build/local")

# A stack's outputs, by the environment variable that names the same thing.
_OUTPUTS: Final[Mapping[str, str]] = {
    "QUEUE_URL": "QueueUrl",
    "DEAD_LETTER_QUEUE_URL": "DeadLetterQueueUrl",
    "RESULTS_TABLE": "ResultsTable",
    "IMAGE_BUCKET": "ImageBucket",
}
# botocore prefers each of these to AWS_PROFILE.
_BEFORE_PROFILE: Final = (
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
)

# In a context's `meta`: a function that returns the stack's variables, those set by options, and
# these options.
_STACK: Final = f"{__name__}.stack"
_SET: Final = f"{__name__}.set"
_GIVEN: Final = f"{__name__}.given"


class _LocalOption(click.Option):
    """--local, which can't be combined with the options for AWS."""

    _OTHERS: Final = ("stack", "profile", "region")

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Check what else is on the command line, which callbacks see only in part."""
        if self.name in opts:
            for other in self._OTHERS:
                if other in opts:
                    raise click.UsageError(f"--local and --{other} can't be combined", ctx)
        return super().handle_parse_result(ctx, opts, args)


def connection_options(command: Command) -> Command:
    """Add --stack, --profile, --region, --endpoint-url and --local to a command."""
    for option in reversed((_STACK_NAME, _PROFILE, _REGION, _ENDPOINT_URL, _LOCAL)):
        command = option(command)
    return command


def stack_variables(context: click.Context) -> Mapping[str, str]:
    """Return the variables that name the selected stack's parts; empty if none is selected.

    The first call asks CloudFormation, if the stack is not a local one.

    Raises:
        ClickException: there is no such stack, it is not ours, or access is denied.
    """
    if context.resilient_parsing or _STACK not in context.meta:  # Tab must not call AWS
        return {}
    variables: Mapping[str, str] = context.meta[_STACK]()
    return variables


def set_variables(context: click.Context) -> Mapping[str, str]:
    """Return the variables that --profile, --region and --endpoint-url have set."""
    variables: Mapping[str, str] = context.meta.get(_SET, {})
    return variables


def image_bucket() -> str | None:
    """Return the bucket of the stack on the command line, or the environment's.

    Raises:
        ClickException: see `stack_variables`.
    """
    context = click.get_current_context()
    if context.get_parameter_source("stack") is ParameterSource.COMMANDLINE:
        return stack_variables(context).get("IMAGE_BUCKET")
    return os.environ.get("IMAGE_BUCKET")  # --local sets it


def same_connection() -> str:
    """Return this command line's connection options, to append to a command that it suggests."""
    given: list[str] = click.get_current_context().meta.get(_GIVEN, [])
    return "".join(f" {option}" for option in given)


def use_environment(context: click.Context, variables: Mapping[str, str]) -> None:
    """Replace the environment until the whole command line, errors included, is done with."""
    context.find_root().with_resource(_environment(variables))


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


def _use_stack(context: click.Context, _: click.Parameter, name: str | None) -> None:
    if name:  # --local may have come first, with LANDMARKS_STACK in the environment
        context.meta.setdefault(_STACK, cache(partial(_outputs, name)))
    if name and context.get_parameter_source("stack") is ParameterSource.COMMANDLINE:
        _remember(context, f"--stack {shlex.quote(name)}")


def _use_local(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001, click's
    if wanted and not context.resilient_parsing:
        from landmarks.local.session import isolated, running_stack  # noqa: PLC0415, an extra

        stack = running_stack(LOCAL_FOLDER)
        context.meta[_STACK] = lambda: stack
        _remember(context, "--local")
        use_environment(context, isolated(os.environ) | stack)


def _use_profile(context: click.Context, _: click.Parameter, name: str | None) -> None:
    if name:
        _set(context, {"AWS_PROFILE": name}, without=_BEFORE_PROFILE)
        _remember(context, f"--profile {shlex.quote(name)}")


def _use_region(context: click.Context, _: click.Parameter, name: str | None) -> None:
    if name:
        _set(context, {"AWS_DEFAULT_REGION": name, "AWS_REGION": name})
        _remember(context, f"--region {shlex.quote(name)}")


def _use_endpoint(context: click.Context, _: click.Parameter, url: str | None) -> None:
    if url:
        _set(context, {"AWS_ENDPOINT_URL": url})
        _remember(context, f"--endpoint-url {shlex.quote(url)}")


def _set(
    context: click.Context, variables: Mapping[str, str], without: tuple[str, ...] = ()
) -> None:
    """Set variables, which boto3 and PynamoDB both read."""
    kept = {name: value for name, value in os.environ.items() if name not in without}
    context.meta.setdefault(_SET, {}).update(variables)
    use_environment(context, {**kept, **variables})


def _remember(context: click.Context, option: str) -> None:
    context.meta.setdefault(_GIVEN, []).append(option)


def _outputs(stack_name: str) -> Mapping[str, str]:
    client = boto3.client("cloudformation")
    try:
        (stack,) = client.describe_stacks(StackName=stack_name)["Stacks"]
    except ClientError as error:
        raise _refusal(error, stack_name, client.meta.region_name) from error
    found = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
    missing = [output for output in _OUTPUTS.values() if output not in found]
    if missing:
        raise click.ClickException(
            f"stack {stack_name} ({stack['StackStatus']}) is not a finished landmark-worker stack: "
            f"it has no output {', '.join(missing)}"
        )
    return {variable: found[output] for variable, output in _OUTPUTS.items()}


def _refusal(error: ClientError, stack_name: str, region: str) -> Exception:
    """Return the error to raise for an error of CloudFormation."""
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code == "ValidationError" and message.endswith("does not exist"):
        return click.ClickException(
            f"no stack {one_line(stack_name)} in {region}: check its name, --region and --profile"
        )
    if code in DENIED_CODES:
        return click.ClickException(
            f"these credentials don't allow cloudformation:DescribeStacks on stack "
            f"{one_line(stack_name)}: check its name, or attach its OperatorPolicy to their role "
            f"({one_line(message)})"
        )
    return error


_STACK_NAME: Final = click.option(
    "--stack",
    envvar="LANDMARKS_STACK",
    metavar="NAME",
    is_eager=True,  # the names that it replaces are looked up after it
    expose_value=False,
    callback=_use_stack,
    help="Use the queue, table and bucket of this CloudFormation stack.  [env: LANDMARKS_STACK]",
)
_PROFILE: Final = click.option(
    "--profile",
    metavar="NAME",
    is_eager=True,
    expose_value=False,
    callback=_use_profile,
    help="Use this profile of the AWS configuration.  [env: AWS_PROFILE]",
)
_REGION: Final = click.option(
    "--region",
    metavar="NAME",
    is_eager=True,
    expose_value=False,
    callback=_use_region,
    help="Use this AWS region.  [env: AWS_DEFAULT_REGION]",
)
_ENDPOINT_URL: Final = click.option(
    "--endpoint-url",
    metavar="URL",
    expose_value=False,
    callback=_use_endpoint,
    help="Use this endpoint instead of AWS.  [env: AWS_ENDPOINT_URL]",
)
_LOCAL: Final = click.option(
    "--local",
    cls=_LocalOption,
    is_flag=True,
    is_eager=True,  # must run before other options read the environment
    expose_value=False,
    callback=_use_local,
    help="Use the stack that `landmarks local` runs.",
)
