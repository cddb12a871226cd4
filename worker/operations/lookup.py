"""One result of the table, or what to do about there being none."""

import shlex
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus

from worker.errors import LandmarkError
from worker.reading import LandmarkResult, LandmarkTable


class NoResultError(LandmarkError):
    """Raised when the table has no result for an object; says what to do about it."""

    code = "NO_RESULT"


def find_result(table: LandmarkTable, key: str, bucket: str | None = None) -> LandmarkResult:
    """The result of one object.

    Args:
        table: where to look.
        key: the object's key, literal.
        bucket: its bucket; needed only where several have an object of this key.

    Raises:
        NoResultError: there is none.
        SeveralResultsError: no bucket was named, and several have results; it names them.
        LandmarkError: the table can't be asked.
    """
    result = table.get(key, bucket)
    if result is None:
        raise NoResultError(_what_to_do(table, key, bucket))
    return result


def enqueue_command(key: str, bucket: str | None) -> str:
    """What a shell takes to have an object processed."""
    address = f"s3://{bucket or 'BUCKET'}/{key if key.isprintable() else '…'}"
    return f"landmarks enqueue {shlex.quote(address)}"


def _what_to_do(table: LandmarkTable, key: str, bucket: str | None) -> str:
    missing = f"no result for {key!r}" + (f" in bucket {bucket!r}" if bucket else "")
    elsewhere = [result.bucket for result in table.query(key)] if bucket else []
    if elsewhere:
        return f"{missing}, but there is one in {', '.join(elsewhere)}"
    for decoded in _decoded(key):
        if next(table.query(decoded), None):
            return f"{missing}, but there is one for {decoded!r}: keys are not URL-encoded here"
    return f"{missing} yet: check the key, or enqueue it: {enqueue_command(key, bucket)}"


def _decoded(key: str) -> Iterator[str]:
    """What the key may have been before it was encoded, for a URL or in an S3 event."""
    yield from dict.fromkeys(text for text in (unquote(key), unquote_plus(key)) if text != key)
