"""The `landmarks` command and its lazily loaded subcommands."""

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Final

try:
    import click
    from click.shell_completion import CompletionItem, get_completion_class
except ModuleNotFoundError:
    sys.exit("landmarks: click is not installed: run pip install '.[cli]' in this project's folder")

from landmarks.cli.advice import WrongCallError, one_line_errors
from landmarks.cli.terminal import exit_on_signals, replace_unencodable_output

_DISTRIBUTION: Final = "landmark-worker"

# Section → command → its location, and its summary so that `--help` imports no command.
_SECTIONS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "Try it": {
        "demo": (
            "landmarks.cli.demo:demo",
            "Run the worker on this machine, without an AWS account.",
        ),
        "detect": (
            "landmarks.cli.detect:detect",
            "Find landmarks in photos on this machine.",
        ),
        "local": (
            "landmarks.cli.local:local",
            "Run S3, SQS, DynamoDB and the worker here until Ctrl-C.",
        ),
    },
    "Send photographs": {
        "enqueue": (
            "landmarks.cli.enqueue:enqueue",
            "Send jobs for existing objects to the queue.",
        ),
    },
    "Run it": {
        "status": (
            "landmarks.cli.status:status",
            "Show queue depths, dead letters and recent results.",
        ),
        "dead-letters": (
            "landmarks.cli.dead_letters:dead_letters",
            "List, redrive or delete dead letters.",
        ),
        "retry": ("landmarks.cli.retry:retry", "Enqueue failed or outdated objects again."),
    },
    "Read results": {
        "get": ("landmarks.cli.get:get", "Show the result of one photograph."),
        "list": ("landmarks.cli.list:list_results", "List the results of a folder."),
        "report": (
            "landmarks.cli.report:report",
            "Write results and photos to one HTML page.",
        ),
        "export": (
            "landmarks.cli.export:export",
            "Write results to a file: Parquet, JSON Lines, CSV or COCO.",
        ),
        "overlay": ("landmarks.cli.overlay:overlay", "Draw a photograph's landmarks on it."),
    },
    "This command": {
        "env": (
            "landmarks.cli.env:env",
            "Print a stack's queues, table and bucket for a shell.",
        ),
        "completion": (
            "landmarks.cli.main:completion",
            "Print a shell completion script.",
        ),
    },
}
_COMMANDS: Final = {
    name: where for section in _SECTIONS.values() for name, where in section.items()
}

# Former commands, and how to type them now.
_REPLACED: Final = {"reprocess": "landmarks retry --options-changed [s3://BUCKET/FOLDER]"}


class LazyGroup(click.Group):
    """A group that imports each command on first use.

    https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the sections, not sorted."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None if the name is unknown."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and say what has replaced a former one."""
        if args[0] in _REPLACED and not ctx.resilient_parsing:
            raise WrongCallError(f"`{args[0]}` is now: {_REPLACED[args[0]]}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section's commands with aligned summaries."""
        del ctx
        width = max(map(len, _COMMANDS))
        for heading, commands in _SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(name.ljust(width), words) for name, (_, words) in commands.items()]
                )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names, without importing commands, and the group's options."""
        commands = [
            CompletionItem(name, help=words)
            for name, (_, words) in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command and report errors in one line."""
        replace_unencodable_output()
        exit_on_signals()
        with one_line_errors():
            return super().invoke(ctx)


def _version() -> str:
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown (not installed)"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="landmarks")
def landmarks() -> None:
    """Find body, face and hand landmarks in photographs.

    Try it without an AWS account: run demo, run detect on your own photos, or run local
    and use the other commands with --local.

    Exit statuses: 0 success, 1 something failed, 2 wrong usage, 130 or 143 interrupted.
    """


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a shell completion script.

    \b
    This shell:    eval "$(landmarks completion bash)"
    Every shell:   landmarks completion bash >> ~/.bashrc
    fish:          landmarks completion fish | source
    """  # noqa: D301, \b is click's
    root = context.find_root()
    name = root.info_name or "landmarks"
    completion_class = get_completion_class(shell)
    if completion_class is None:
        raise click.UsageError(f"click does not support {shell}")
    click.echo(completion_class(root.command, {}, name, f"_{name}_complete".upper()).source())


def main() -> None:
    """Run the command line. This is the distribution's entry point."""
    landmarks(prog_name="landmarks")
