"""How commands are listed, and how all of them end."""

import click

from worker.commands.advice import one_line_errors
from worker.commands.terminal import end_orderly, print_anything


class CommandGroup(click.Group):
    """Its commands are listed in the order of their use."""

    def list_commands(self, _: click.Context) -> list[str]:
        """As they were added."""
        return list(self.commands)


class RootGroup(CommandGroup):
    """Whatever ends one of its commands early is one line and an exit status."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        print_anything()
        end_orderly()
        with one_line_errors():
            return super().invoke(ctx)
