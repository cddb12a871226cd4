"""`landmarks env`."""

import click

from landmarks.cli.connection import connection_options, set_variables, stack_variables
from landmarks.local.session import export_lines


@click.command()
@connection_options
@click.pass_context
def env(context: click.Context) -> None:
    """Print a stack's queues, table and bucket for a shell.

    Prints them as environment variables, so that this command, the examples and other tools
    find the stack without further options.

    \b
      eval "$(landmarks env --stack landmark-worker)"
      eval "$(landmarks env --local)"
    """  # noqa: D301, \b is click's
    variables = stack_variables(context)
    if not variables:
        raise click.UsageError("specify --stack NAME or --local")
    click.echo(export_lines({**set_variables(context), **variables}), nl=False)
