"""`landmarks dead-letters …`."""

from typing import Final

import click

from worker.commands.terminal import aws_errors, one_line

_DEAD_LETTER_QUEUE: Final = click.option(
    "--dead-letter-queue-url",
    envvar="DEAD_LETTER_QUEUE_URL",
    required=True,
    metavar="URL",
    help="The dead-letter queue.  [env: DEAD_LETTER_QUEUE_URL]",
)


@click.group("dead-letters")
def dead_letters() -> None:
    """Messages that were given up: why, and back into the queue."""


@dead_letters.command("list")
@_DEAD_LETTER_QUEUE
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
def list_dead_letters(dead_letter_queue_url: str, limit: int) -> None:
    """Print dead letters with their reasons; they stay where they are."""
    import boto3  # noqa: PLC0415, --help needs none of it

    from worker.operations.dead_letters import read_dead_letters  # noqa: PLC0415

    count = 0
    with aws_errors():
        for letter in read_dead_letters(boto3.client("sqs"), dead_letter_queue_url, limit):
            count += 1
            tries = f" after {letter.receive_count} tries" if letter.receive_count else ""
            reason = letter.error_message or "moved by SQS, which says no more"
            click.echo(f"{letter.message_id}  {letter.error_code or 'UNKNOWN'}{tries}")
            click.echo(f"  {one_line(reason)}")
            click.echo(f"  {one_line(letter.body)}")
    click.echo(f"{count} dead letter{'' if count == 1 else 's'}", err=True)


@dead_letters.command("redrive")
@_DEAD_LETTER_QUEUE
@click.option(
    "--queue-url",
    envvar="QUEUE_URL",
    required=True,
    metavar="URL",
    help="Where they go.  [env: QUEUE_URL]",
)
@click.option("--one-by-one", is_flag=True, help="For stand-ins of SQS that have no move task.")
def redrive_dead_letters(dead_letter_queue_url: str, queue_url: str, *, one_by_one: bool) -> None:
    """Bring all dead letters back into the queue, by SQS's own move task."""
    import boto3  # noqa: PLC0415, --help needs none of it

    from worker.operations.dead_letters import move_one_by_one, start_move  # noqa: PLC0415

    sqs = boto3.client("sqs")
    with aws_errors():
        if one_by_one:
            moved = move_one_by_one(sqs, dead_letter_queue_url, queue_url)
            click.echo(f"{moved} brought back", err=True)
        else:
            handle = start_move(sqs, dead_letter_queue_url, queue_url)
            click.echo(f"SQS is bringing them back: move task {handle}", err=True)
