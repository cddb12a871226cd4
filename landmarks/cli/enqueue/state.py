"""How far a run has come, in a file to resume it from, and the signals that interrupt it."""

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, Self

from landmarks.cli.advice import WrongCallError
from landmarks.cli.enqueue.messages import START, Message, Position

_FORMAT: Final = 2
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Totals:
    """What has become of the entries so far, including earlier runs that were resumed.

    Attributes:
        sent: messages that SQS has accepted.
        unsent: entries that will never be sent; they are listed with their reasons.
        skipped: entries that the filters rejected.
    """

    sent: int = 0
    unsent: int = 0
    skipped: int = 0


@dataclass(slots=True)
class State:
    """What it takes to resume a run.

    Attributes:
        arguments: of the command; a state belongs to them.
        since: the moment that `--since` meant when the first run started, in ISO 8601.
        unsent: path of the list of what was not sent; None keeps no list.
        position: everything before it is done, except for `pending`.
        pending: messages that were read, and neither sent nor refused.
        totals: of what is done.
        finished: nothing is left to do.
    """

    arguments: Mapping[str, object] = field(default_factory=dict)
    since: str | None = None
    unsent: str | None = None
    position: Position = START
    pending: list[Message] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)
    finished: bool = False

    def save(self, path: Path) -> None:
        """Write it to a file, which is replaced atomically."""
        temporary = path.with_name(f"{path.name}.new")
        temporary.write_text(json.dumps(asdict(self) | {"format": _FORMAT}, default=str), "utf-8")
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path, arguments: Mapping[str, object]) -> Self | None:
        """Read it from a file; None if there is no file.

        Raises:
            WrongCallError: it can't be read, or belongs to other arguments.
        """
        try:
            state = cls(**_typed(json.loads(path.read_text("utf-8"))))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongCallError(f"{path}: not a state file of this command: {error}") from error
        names = sorted({*arguments, *state.arguments})
        different = [name for name in names if arguments.get(name) != state.arguments.get(name)]
        if different:
            raise WrongCallError(
                f"{path} belongs to a run with other arguments ({', '.join(different)}): "
                "repeat them, or name another file"
            )
        return state


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    if fields.pop("format") != _FORMAT:
        raise ValueError("written by another version")
    source, cursor = fields["position"]
    return fields | {
        "position": Position(int(source), str(cursor)),
        "totals": Totals(**fields["totals"]),
        "pending": [
            Message(**message | {"file": Path(message["file"]) if message["file"] else None})
            for message in fields["pending"]
        ],
    }


class InterruptedReadingError(BaseException):
    """Raised while waiting for a source, which may be a terminal or a service.

    A BaseException, like KeyboardInterrupt, so that no library handles it as its own error.
    """


class Interruption:
    """Whether to stop, and why.

    Attributes:
        stopped: set when nothing new should be started.
        signal: the signal that asked for it, if one did.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.signal: signal.Signals | None = None
        self._reading = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Handle signals in this block: the first one stops gracefully, the second at once.

        Ignored signals stay ignored, for `nohup`.
        """
        handled = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._handle) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let a signal end this block at once, since nothing is lost in it."""
        self._reading = True
        try:
            if self.stopped.is_set():
                raise InterruptedReadingError
            yield
        finally:
            self._reading = False

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
        self.stopped.set()
        if self._reading:
            raise InterruptedReadingError
