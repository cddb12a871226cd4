"""How far a run has come, in a file that is always whole."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from worker.operations.enqueue.batches import Message, Position
from worker.operations.enqueue.entries import OrderError

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
