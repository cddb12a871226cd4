"""`landmarks dead-letters …`."""

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import click

from landmarks.cli.options import (
    REQUIRED_DEAD_LETTER_QUEUE_URL,
    TARGET_QUEUE_URL,
    require_queue_url,
    stack_options,
)
from landmarks.cli.terminal import counted, escaped, one_line

if TYPE_CHECKING:
    from landmarks.cli.redrive import Choice, DeadLetter, Picked

_NO_REASON: Final = "moved by SQS, which says no more"


_INDENT: Final = 2


_IDS: Final = click.argument("message_ids", nargs=-1, metavar="[MESSAGE_ID]...")


_CODE: Final = click.option(
    "--code", metavar="CODE", help="Those with this error code; UNKNOWN for those without."
)


_JSON: Final = click.option("--json", "as_json", is_flag=True, help="A JSON object a letter.")


class _Group(click.Group):
    """Its commands are listed in the order of their use."""

    def list_commands(self, _: click.Context) -> list[str]:
        """As they were added."""
        return list(self.commands)


@click.group("dead-letters", cls=_Group)
def dead_letters() -> None:
    """Messages that were given up: why, and back into the queue.

    Whoever looks at dead letters hides them from others: until the command ends, or for
    30 seconds if it is killed.
    """


@dead_letters.command("list")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    metavar="COUNT",
    help="How many are printed at most.",
)
@_JSON
@stack_options(REQUIRED_DEAD_LETTER_QUEUE_URL)
def list_dead_letters(dead_letter_queue_url: str, limit: int, *, as_json: bool) -> None:
    """Print dead letters with their reasons; they stay where they are.

    A line with their number, by error code, goes to standard error.
    """
    from landmarks.cli.options import queue_client  # noqa: PLC0415, the same
    from landmarks.cli.redrive import read_dead_letters  # noqa: PLC0415, not for --help

    codes: Counter[str] = Counter()
    sqs = queue_client(dead_letter_queue_url)
    for letter in read_dead_letters(sqs, dead_letter_queue_url, limit):
        codes[letter.code] += 1
        if as_json:
            click.echo(json.dumps(_as_json(letter)))
        else:
            _print_briefly(letter)
    parts = ", ".join(f"{count} {one_line(code)}" for code, count in codes.most_common())
    more = "; there may be more: --limit" if codes.total() == limit else ""
    click.echo(
        f"{counted(codes.total(), 'dead letter')}{': ' * bool(parts)}{parts}{more}", err=True
    )


@dead_letters.command("show")
@click.argument("message_id")
@_JSON
@stack_options(REQUIRED_DEAD_LETTER_QUEUE_URL)
def show_dead_letter(message_id: str, dead_letter_queue_url: str, *, as_json: bool) -> None:
    """Print all of one dead letter; it stays where it is."""
    from landmarks.cli.options import queue_client  # noqa: PLC0415, the same
    from landmarks.cli.redrive import find_dead_letter  # noqa: PLC0415, not for --help

    sqs = queue_client(dead_letter_queue_url)
    letter = find_dead_letter(sqs, dead_letter_queue_url, message_id)
    if letter is None:
        raise click.ClickException(_missing([message_id]))
    if as_json:
        click.echo(json.dumps(_as_json(letter), indent=_INDENT))
    else:
        _print_fully(letter)


@dead_letters.command("redrive")
@_IDS
@_CODE
@click.option("--one-by-one", is_flag=True, help="For stand-ins of SQS that have no move task.")
@stack_options(REQUIRED_DEAD_LETTER_QUEUE_URL, TARGET_QUEUE_URL)
def redrive_dead_letters(
    message_ids: tuple[str, ...],
    code: str | None,
    dead_letter_queue_url: str,
    queue_url: str | None,
    *,
    one_by_one: bool,
) -> None:
    """Bring dead letters back into the queue.

    All of them, or those with the ids or the code.

    All are moved by SQS's own move task, which goes on after the command has ended; some
    one by one: each is sent to the queue, then deleted. Interrupted in between it comes
    twice, which costs the worker one look into the table.
    """
    from landmarks.cli.options import queue_client  # noqa: PLC0415, the same
    from landmarks.cli.redrive import move_one_by_one, start_move  # noqa: PLC0415

    choice, target = _choice(message_ids, code), require_queue_url(queue_url)
    sqs = queue_client(dead_letter_queue_url)
    if one_by_one or message_ids or code:
        picked = move_one_by_one(sqs, dead_letter_queue_url, target, choice)
        _report(picked, "brought back")
    else:
        handle = start_move(sqs, dead_letter_queue_url, target)
        click.echo(f"SQS is bringing them back: move task {handle}", err=True)


@dead_letters.command("drop")
@_IDS
@_CODE
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@stack_options(REQUIRED_DEAD_LETTER_QUEUE_URL)
def drop(
    message_ids: tuple[str, ...],
    code: str | None,
    dead_letter_queue_url: str,
    *,
    everything: bool,
    yes: bool,
) -> None:
    """Delete dead letters for good.

    Those with the ids or the code, or all of them.
    """
    from landmarks.cli.options import queue_client  # noqa: PLC0415, the same
    from landmarks.cli.redrive import drop_dead_letters  # noqa: PLC0415, not for --help

    choice = _choice(message_ids, code)
    if everything == bool(message_ids or code):
        raise click.UsageError("say which: message ids, --code CODE or --all")
    if not yes:
        click.confirm(f"Delete {_described(choice)} for good?", abort=True, err=True)
    sqs = queue_client(dead_letter_queue_url)
    _report(drop_dead_letters(sqs, dead_letter_queue_url, choice), "deleted")


def _choice(message_ids: tuple[str, ...], code: str | None) -> "Choice":
    from landmarks.cli.redrive import Choice  # noqa: PLC0415, --help needs none of it

    if message_ids and code:
        raise click.UsageError("message ids and --code: one of the two")
    return Choice(frozenset(message_ids), code)


def _described(choice: "Choice") -> str:
    if choice.ids:
        return counted(len(choice.ids), "dead letter")
    return f"every dead letter with the code {choice.code}" if choice.code else "ALL dead letters"


def _report(picked: "Picked", done: str) -> None:
    click.echo(f"{picked.count} {done}", err=True)
    if picked.missing:
        raise click.ClickException(_missing(picked.missing))


def _missing(ids: "tuple[str, ...] | list[str]") -> str:
    return f"no such dead letter: {', '.join(ids)} (one that somebody looks at hides for 30 s)"


def _print_briefly(letter: "DeadLetter") -> None:
    count = letter.receive_count
    tries = f" after {count} {'try' if count == 1 else 'tries'}" if count else ""
    code = click.style(one_line(letter.code), fg="red", bold=True)
    click.echo(f"{letter.message_id}  {code}{tries}")
    click.echo(f"  {one_line(letter.error_message or _NO_REASON)}")
    click.echo(click.style(f"  {one_line(letter.body)}", dim=True))


def _print_fully(letter: "DeadLetter") -> None:
    facts = {
        "message id": letter.message_id,
        "letter id": letter.letter_id,
        "error code": letter.code,
        "reason": letter.error_message or _NO_REASON,
        "receives": letter.receive_count,
        "sent at": letter.sent_at and letter.sent_at.isoformat(" ", "seconds"),
        **{name: value.get("StringValue") for name, value in letter.attributes.items()},
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        if value is not None:
            click.echo(
                f"{click.style(one_line(name.ljust(width)), dim=True)}  {escaped(str(value))}"
            )
    click.echo()
    for line in _pretty(letter.body).splitlines():
        click.echo(escaped(line))


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=_INDENT, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


def _as_json(letter: "DeadLetter") -> dict[str, Any]:
    return {
        "message_id": letter.message_id,
        "letter_id": letter.letter_id,
        "error_code": letter.error_code,
        "error_message": letter.error_message,
        "receive_count": letter.receive_count,
        "sent_at": letter.sent_at and letter.sent_at.isoformat(timespec="milliseconds"),
        "body": letter.body,
    }
