"""`landmarks completion`."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what completes commands and options in a shell.

    \b
    In this shell:   eval "$(landmarks completion bash)"
    In every one:    landmarks completion bash >> ~/.bashrc
    For fish:        landmarks completion fish | source
    """  # noqa: D301, click's mark for lines that stay as they are
    root = context.find_root()
    name = root.info_name or "landmarks"
    made_by = get_completion_class(shell)
    if made_by is None:
        raise click.UsageError(f"click knows no {shell}")
    click.echo(made_by(root.command, {}, name, f"_{name}_complete".upper()).source())
