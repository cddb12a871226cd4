"""Keys and jobs, one a line: what `-` reads from standard input."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from worker.errors import MessageError
from worker.jobs import decode_direct
from worker.operations.enqueue.entries import Entry, Found, OrderError, Refusal
from worker.operations.enqueue.listing import SCHEME, S3Url

# For the decoder, which wants a bucket; it is left out again.
_NO_BUCKET: Final = "worker-decides"


@dataclass(frozen=True)
class LineSource:
    """Lines: a literal key, `s3://bucket/key`, or a job as JSON. Empty ones are passed over.

    The cursor is the number of lines read, so that the same lines have to come again.
    """

    lines: Iterable[bytes] = field(repr=False)
    bucket: str | None = None
    dated: bool = False

    def entries(self, after: str) -> Iterator[Found]:
        """In the order they come."""
        done = int(after or 0)
        for number, line in enumerate(self.lines, 1):
            text = line.rstrip(b"\r\n")
            if number > done and text:
                yield self._entry(text, str(number))

    def _entry(self, line: bytes, cursor: str) -> Found:
        try:
            fields = self._fields(line.decode())
            job = decode_direct(fields, default_bucket=self.bucket or _NO_BUCKET)
        except (MessageError, OrderError, UnicodeError, json.JSONDecodeError) as error:
            return Refusal(line.decode(errors="replace"), f"line {cursor}: {error}", cursor)
        return Entry(
            key=job.key,
            cursor=cursor,
            bucket=job.bucket if fields.get("bucket") is not None else self.bucket,
            version_id=job.version_id,
            job_id=job.job_id,
            force=job.force,
        )

    def _fields(self, text: str) -> dict[str, object]:
        if text.startswith(SCHEME):
            url = S3Url.parse(text)
            return {"bucket": url.bucket, "key": url.key}
        if not text.startswith("{"):
            return {"key": text}
        fields = json.loads(text)
        return fields if isinstance(fields, dict) else {}
