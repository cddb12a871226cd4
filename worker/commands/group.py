"""How commands are listed, and how all of them end."""

from collections.abc import Sequence
from typing import Any, Final

import click

from worker.commands.advice import one_line_errors
from worker.commands.terminal import end_orderly, print_anything

# click's indentation before a command's name, and the gap behind it.
_AROUND_NAME: Final = 6


class CommandGroup(click.Group):
    """Its commands are listed in the order of their use."""

    def list_commands(self, _: click.Context) -> list[str]:
        """As they were added."""
        return list(self.commands)


class RootGroup(CommandGroup):
    """Lists commands by what they are for; what ends one early is one line and a status."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401, click's own
        """Have no commands yet."""
        super().__init__(*arguments, **named)
        self._sections: dict[str, Sequence[click.Command]] = {}

    def add_section(self, heading: str, commands: Sequence[click.Command]) -> None:
        """Add commands, listed below a heading of their own."""
        self._sections[heading] = commands
        for command in commands:
            self.add_command(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a list for each section, the summaries below each other."""
        del ctx
        width = max(map(len, self.commands))
        room = formatter.width - width - _AROUND_NAME
        for heading, commands in self._sections.items():
            rows = [
                ((command.name or "").ljust(width), command.get_short_help_str(room))
                for command in commands
            ]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        print_anything()
        end_orderly()
        with one_line_errors():
            return super().invoke(ctx)
