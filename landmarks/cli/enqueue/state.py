"""The state file to resume a run from, and the signals that interrupt a run."""

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, Self
from uuid import uuid4

from landmarks.cli.advice import WrongCallError
from landmarks.cli.enqueue.messages import START, Message, Position

_FORMAT: Final = 2
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Totals:
    """Counts of the entries so far, including those of resumed runs.

    Attributes:
        sent: messages that SQS accepted.
        unsent: entries that can't be sent and are listed with their reasons.
        skipped: entries that the filters skipped.
        archived: objects that were skipped because they are archived.
    """

    sent: int = 0
    unsent: int = 0
    skipped: int = 0
    archived: int = 0


@dataclass(slots=True)
class State:
    """Everything needed to resume a run.

    Attributes:
        arguments: the command's arguments, which must be the same when resuming.
        since: the time that `--since` referred to when the first run started, in ISO 8601.
        unsent: path of the list of entries that were not sent; None for no list.
        position: everything up to this position is done, except for `pending`.
        pending: messages that were read, but neither sent nor rejected.
        totals: counts of the entries so far.
        finished: whether everything is done.
        run_id: tells runs apart, but not a run and its resumption.
    """

    arguments: Mapping[str, object] = field(default_factory=dict)
    since: str | None = None
    unsent: str | None = None
    position: Position = START
    pending: list[Message] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)
    finished: bool = False
    run_id: str = field(default_factory=lambda: uuid4().hex)

    def save(self, path: Path) -> None:
        """Write the state to a file, which is replaced atomically."""
        temporary = path.with_name(f"{path.name}.new")
        temporary.write_text(json.dumps(asdict(self) | {"format": _FORMAT}, default=str), "utf-8")
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path, arguments: Mapping[str, object]) -> Self | None:
        """Read the state from a file; None if the file does not exist.

        Raises:
            WrongCallError: the file is invalid, or belongs to a run with other arguments.
        """
        try:
            state = cls(**_typed(json.loads(path.read_text("utf-8"))))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongCallError(f"{path}: not a valid state file: {error}") from error
        names = sorted({*arguments, *state.arguments})
        different = [name for name in names if arguments.get(name) != state.arguments.get(name)]
        if different:
            raise WrongCallError(
                f"{path} belongs to a run with other arguments ({', '.join(different)}): "
                "use the same arguments or another file"
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
    """Raised to interrupt waiting for a source, such as a terminal or a service.

    A BaseException like KeyboardInterrupt, so that no library catches it.
    """


class Interruption:
    """Whether to stop, and why.

    Attributes:
        stopped: set when no new work should be started.
        signal: the signal that was received, if any.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.signal: signal.Signals | None = None
        self._reading = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Handle signals in this block: the first one stops gracefully, the second immediately.

        Ignored signals stay ignored, as `nohup` expects.
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
        """Let a signal end this block immediately, because nothing is lost."""
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
