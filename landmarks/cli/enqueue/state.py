"""How far a run has come, in a file that is always whole."""

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, Self

from landmarks.cli.enqueue.batches import Message, Position
from landmarks.cli.enqueue.entries import OrderError

_FORMAT: Final = 1


class StateError(OrderError):
    """Raised when a state file can't be read or belongs to another run."""

    code = "INVALID_STATE"


@dataclass(slots=True)
class Tally:
    """What has become of the entries so far, earlier runs of the same state included.

    Attributes:
        sent: messages that SQS has accepted.
        refused: entries that will never be messages; they are in the list of the unsent.
        left_out: entries that were not wanted.
        object_bytes: of the objects sent, where the source tells.
    """

    sent: int = 0
    refused: int = 0
    left_out: int = 0
    object_bytes: int = 0


@dataclass(slots=True)
class State:
    """What a run that goes on has to know.

    Attributes:
        arguments: what the run was asked for.
        since: ISO 8601; where a duration like `7d` led to when the first run began.
        unsent: the list of the unsent.
        position: everything up to here is settled but `pending`.
        pending: read, and neither sent nor refused.
        tally: of what is settled.
        finished: nothing is left.
    """

    arguments: Mapping[str, object]
    since: str | None
    unsent: str
    position: Position = field(default_factory=Position)
    pending: list[Message] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    finished: bool = False

    def save(self, path: Path) -> None:
        """Replace the file at once: whoever reads it sees the former or the present state."""
        pending = [asdict(message) | {"file": _text(message.file)} for message in self.pending]
        fields = asdict(self) | {"format": _FORMAT, "pending": pending}
        temporary = path.with_name(f"{path.name}.new")
        temporary.write_text(json.dumps(fields), "utf-8")
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path, arguments: Mapping[str, object]) -> Self | None:
        """The state in a file; None if there is no file.

        Raises:
            StateError: it can't be read, or belongs to other arguments.
        """
        try:
            state = cls(**_typed(json.loads(path.read_text("utf-8"))))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(f"{path}: no state file of this command: {error}") from error
        differing = [
            name
            for name in sorted({*arguments, *state.arguments})
            if arguments.get(name) != state.arguments.get(name)
        ]
        if differing:
            raise StateError(
                f"{path} belongs to a run with other arguments ({', '.join(differing)}): "
                "repeat that run's, or name another file"
            )
        return state


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    if fields.pop("format") != _FORMAT:
        raise ValueError("of another version of this command")
    source, cursor = fields["position"]
    return fields | {
        "position": Position(int(source), str(cursor)),
        "tally": Tally(**fields["tally"]),
        "pending": [
            Message(**message | {"file": Path(message["file"]) if message["file"] else None})
            for message in fields["pending"]
        ],
    }


def _text(file: Path | None) -> str | None:
    return str(file) if file else None


_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedReadingError(BaseException):
    """Raised in the middle of waiting for a source, which may be a terminal or a service.

    As with KeyboardInterrupt, nothing on its way may take it for an error of its own.
    """


class Interruption:
    """Whether to stop, and why.

    Attributes:
        stopped: set when nothing new should be begun.
        signal: which signal came, if one did.
    """

    def __init__(self) -> None:
        """Go on, until told otherwise."""
        self.stopped = threading.Event()
        self.signal: signal.Signals | None = None
        self._reading = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take signals in this block: the first stops orderly, a second one at once.

        What is ignored stays so: whoever says `nohup` wants to walk away.
        """
        heeded = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
        former = {number: signal.signal(number, self._take) for number in heeded}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Have a signal end this block at once, as nothing gets lost in it."""
        self._reading = True
        try:
            if self.stopped.is_set():
                raise InterruptedReadingError
            yield
        finally:
            self._reading = False

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
        self.stopped.set()
        if self._reading:
            raise InterruptedReadingError
