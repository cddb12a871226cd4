"""The `landmarks` command: its subcommands, put together."""

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

try:
    import click
except ModuleNotFoundError:
    sys.exit("landmarks: click is not installed: pip install 'landmark-worker[cli]'")

from worker.commands.completion import completion
from worker.commands.dead_letters import dead_letters
from worker.commands.demo import demo
from worker.commands.enqueue import enqueue
from worker.commands.export import export
from worker.commands.get import get
from worker.commands.group import RootGroup
from worker.commands.list import list_results
from worker.commands.local import local
from worker.commands.overlay import overlay
from worker.commands.report import report
from worker.commands.reprocess import reprocess
from worker.commands.retry import retry
from worker.commands.status import status

_DISTRIBUTION: Final = "landmark-worker"


def _version() -> str:
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown (not installed)"


@click.group(cls=RootGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="landmarks")
def landmarks() -> None:
    """Photographs in, body, face and hand landmarks out.

    No AWS account is needed to try it: run demo, or run local, and the other commands
    with --local.

    Commands end with 0 if all was done, 1 if something was not, 2 if called wrongly,
    and 130 or 143 if interrupted.
    """


landmarks.add_section("Try it", [demo, local])
landmarks.add_section("Send photographs", [enqueue])
landmarks.add_section("Run it", [status, dead_letters, retry, reprocess])
landmarks.add_section("Read results", [get, list_results, report, export, overlay])
landmarks.add_section("This command", [completion])


def main() -> None:
    """Run the command; the entry point of the package."""
    landmarks(prog_name="landmarks")
