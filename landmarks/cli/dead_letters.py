"""`landmarks dead-letters`: list, show, redrive and drop."""

import json
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from landmarks.cli.advice import WrongCallError
from landmarks.cli.dead_letter_queue import (
    Choice,
    DeadLetter,
    DeadLetterReader,
    NoMoveTaskError,
    delete_dead_letters,
    read_dead_letters,
    send_back,
    start_move_task,
)
from landmarks.cli.options import (
    QUEUE_URL,
    REQUIRED_DEAD_LETTER_QUEUE_URL,
    is_fifo,
    queue_client,
    require_queue_url,
    stack_options,
)
from landmarks.cli.queue_status import read_queue
from landmarks.cli.terminal import counted, escaped, one_line, utc, whole_line
from landmarks.item import iso

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_NO_REASON: Final = "moved by SQS, which gives no reason"
_INDENT: Final = 2

_IDS: Final = click.argument("message_ids", nargs=-1, metavar="[MESSAGE_ID]...")
_CODE: Final = click.option(
    "--error-code",
    "--code",
    "code",
    metavar="CODE",
    help="Only with this error code; UNKNOWN for messages that SQS moved.",
)
_ALL: Final = click.option("--all", "everything", is_flag=True, help="Select all dead letters.")
_YES: Final = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON objects.")


class _Group(click.Group):
    def list_commands(self, _: click.Context) -> list[str]:
        return list(self.commands)  # in order of definition, not sorted


@click.group("dead-letters", cls=_Group)
def dead_letters() -> None:
    """List, redrive or delete dead letters.

    Reading dead letters hides them from other readers until the command ends, or for 30
    seconds if it is killed.

    Of each message group in a FIFO queue, only the first few (at most ten) can be read:
    SQS holds back the others until these are gone.
    """


@dead_letters.command("list")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    metavar="COUNT",
    help="Maximum number to print.",
)
@_JSON
@stack_options(REQUIRED_DEAD_LETTER_QUEUE_URL)
def list_dead_letters(dead_letter_queue_url: str, limit: int, *, as_json: bool) -> None:
    """Print dead letters with their reasons.

    A count per error code goes to standard error.
    """
    codes: Counter[str] = Counter()
    sqs = queue_client(dead_letter_queue_url)
    for letter in read_dead_letters(sqs, dead_letter_queue_url, limit):
        codes[letter.code] += 1
        if as_json:
            click.echo(json.dumps(_as_json(letter)))
        else:
            _print_summary(letter)
    parts = ", ".join(f"{count} {one_line(code)}" for code, count in codes.most_common())
    more = "; there may be more (see --limit)" if codes.total() == limit else ""
    click.echo(
        f"{counted(codes.total(), 'dead letter')}{': ' * bool(parts)}{parts}{more}", err=True
    )


@dead_letters.command("show")
@click.argument("message_id")
@_JSON
@stack_options(REQUIRED_DEAD_LETTER_QUEUE_URL)
def show_dead_letter(message_id: str, dead_letter_queue_url: str, *, as_json: bool) -> None:
    """Print one dead letter in full."""
    sqs = queue_client(dead_letter_queue_url)
    with DeadLetterReader(sqs, dead_letter_queue_url) as letters:
        letter = next((letter for letter in letters if message_id in letter.ids), None)
    if letter is None:
        raise _not_found([message_id])
    if as_json:
        click.echo(json.dumps(_as_json(letter), indent=_INDENT))
    else:
        _print_all(letter)


@dead_letters.command("redrive")
@_IDS
@_CODE
@_ALL
@_YES
@click.option("--one-by-one", is_flag=True, help="Don't use SQS's move task.")
@stack_options(REQUIRED_DEAD_LETTER_QUEUE_URL, QUEUE_URL)
def redrive_dead_letters(
    message_ids: tuple[str, ...],
    code: str | None,
    dead_letter_queue_url: str,
    queue_url: str | None,
    *,
    everything: bool,
    yes: bool,
    one_by_one: bool,
) -> None:
    """Send dead letters back to the queue.

    Sends those with the given ids or code, or with --all, all of them. Asks before it
    sends, except with ids.

    With --all, SQS moves them in the background, with the worker's reasons still in their
    attributes, which the worker ignores. With ids, a code or --one-by-one, between a
    standard and a FIFO queue, and where SQS has no such move task, each message is sent as
    its producer sent it, then deleted: an interruption can duplicate a message, but never
    loses one.
    """
    choice, target = _choice(message_ids, code, everything=everything), require_queue_url(queue_url)
    sqs = queue_client(dead_letter_queue_url)
    if not _confirmed("Send {} back to the queue?", sqs, dead_letter_queue_url, choice, yes=yes):
        return
    same_kind = is_fifo(dead_letter_queue_url) == is_fifo(target)
    if everything and same_kind and not one_by_one:
        try:
            handle = start_move_task(sqs, dead_letter_queue_url, target)
        except NoMoveTaskError as error:
            click.echo(f"{error}: sending them one by one", err=True)
        else:
            click.echo(f"SQS is moving the dead letters to the queue: move task {handle}", err=True)
            return
    count, missing = send_back(sqs, dead_letter_queue_url, target, choice)
    _print_outcome(f"{count:,} sent back to the queue", missing)


@dead_letters.command("drop")
@_IDS
@_CODE
@_ALL
@_YES
@stack_options(REQUIRED_DEAD_LETTER_QUEUE_URL)
def drop_dead_letters(
    message_ids: tuple[str, ...],
    code: str | None,
    dead_letter_queue_url: str,
    *,
    everything: bool,
    yes: bool,
) -> None:
    """Delete dead letters permanently.

    Deletes those with the given ids or code, or with --all, all of them. Asks before it
    deletes, except with ids.
    """
    choice = _choice(message_ids, code, everything=everything)
    sqs = queue_client(dead_letter_queue_url)
    if _confirmed("Permanently delete {}?", sqs, dead_letter_queue_url, choice, yes=yes):
        count, missing = delete_dead_letters(sqs, dead_letter_queue_url, choice)
        _print_outcome(f"{count:,} deleted", missing)


def _choice(message_ids: tuple[str, ...], code: str | None, *, everything: bool) -> Choice:
    if [bool(message_ids), bool(code), everything].count(True) != 1:
        raise click.UsageError("specify message ids, --error-code CODE or --all")
    return Choice(frozenset(message_ids), code)


def _confirmed(question: str, sqs: "SQSClient", url: str, choice: Choice, *, yes: bool) -> bool:
    """Ask about a choice other than ids, and say how many dead letters it has.

    Returns:
        whether there is anything to do.

    Raises:
        Abort: the answer is no.
        WrongCallError: nobody can answer, and --yes is missing.
    """
    if choice.ids:
        return True
    if choice.code:
        count = sum(map(choice.includes, read_dead_letters(sqs, url)))
        words = f"{counted(count, 'dead letter')} with the code {choice.code}"
    else:
        count = read_queue(sqs, url).total  # approximate, but reading all would take long
        words = f"all dead letters (about {count:,})"
    if not count:
        click.echo(
            f"no dead letters{f' with the code {choice.code}' * bool(choice.code)}", err=True
        )
        return False
    if yes:
        click.echo(f"{question.format(words)} Yes", err=True)
    elif sys.stdin.isatty():
        click.confirm(question.format(words), abort=True, err=True)
    else:
        raise WrongCallError(f"{question.format(words)} There is no terminal to ask: add --yes")
    return True


def _print_outcome(done: str, missing: Sequence[str]) -> None:
    click.echo(done, err=True)
    if missing:
        raise _not_found(missing)


def _not_found(ids: Sequence[str]) -> click.ClickException:
    return click.ClickException(
        f"no such dead letter: {', '.join(ids)} (hidden for up to 30 s if another reader has it)"
    )


def _print_summary(letter: DeadLetter) -> None:
    count = letter.receive_count
    tries = f" after {count} {'try' if count == 1 else 'tries'}" if count else ""
    code = click.style(one_line(letter.code), fg="red", bold=True)
    click.echo(f"{letter.message_id}  {code}{tries}")
    click.echo(f"  {whole_line(letter.error_message or _NO_REASON)}")
    click.echo(click.style(f"  {whole_line(letter.body)}", dim=True))


def _print_all(letter: DeadLetter) -> None:
    facts = {
        "message id": letter.message_id,
        "letter id": letter.letter_id,
        "error code": letter.code,
        "reason": letter.error_message or _NO_REASON,
        "receives": letter.receive_count,
        "sent at": letter.sent_at and utc(letter.sent_at),
        **{
            name: value.get("StringValue") or b64encode(value.get("BinaryValue", b"")).decode()
            for name, value in letter.attributes.items()
        },
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        if value is not None:
            label = click.style(one_line(name.ljust(width)), dim=True)
            click.echo(f"{label}  {escaped(str(value))}")
    click.echo()
    for line in _indented(letter.body).splitlines():
        click.echo(escaped(line))


def _indented(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=_INDENT, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


def _as_json(letter: DeadLetter) -> dict[str, Any]:
    return {
        "message_id": letter.message_id,
        "letter_id": letter.letter_id,
        "error_code": letter.error_code,
        "error_message": letter.error_message,
        "receive_count": letter.receive_count,
        "sent_at": letter.sent_at and iso(letter.sent_at),
        "body": letter.body,
    }
