"""Estimates what a run will cost, from the batches of a dry run."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from landmarks.cli.enqueue.messages import Batch

# US dollars in us-east-1, list prices of June 2026, without free tiers and discounts:
# https://aws.amazon.com/sqs/pricing/, https://aws.amazon.com/s3/pricing/,
# https://aws.amazon.com/dynamodb/pricing/on-demand/
_PRICES_OF: Final = "us-east-1, June 2026"
_SQS_REQUEST_DOLLARS: Final = 0.40 / 1_000_000
_SQS_FIFO_REQUEST_DOLLARS: Final = 0.50 / 1_000_000
_S3_WRITE_OR_LIST_DOLLARS: Final = 0.005 / 1_000
_DYNAMODB_WRITE_UNIT_DOLLARS: Final = 0.625 / 1_000_000
_DYNAMODB_READ_UNIT_DOLLARS: Final = 0.125 / 1_000_000  # late 2025
_WRITE_UNITS: Final = 8  # of a person with face and both hands as float32; docs/table.md
_SQS_REQUEST_BYTES: Final = 64 * 1024  # a larger request is billed as several
_KEYS_PER_LISTING: Final = 1_000


def count(batch: Batch) -> Counter[str]:
    """Return what the estimate needs to know about a batch. Add up the batches' counts."""
    return Counter(
        messages=len(batch.messages),
        bytes=batch.bytes,
        object_bytes=sum(message.size_bytes for message in batch.messages),
        requests=-(-batch.bytes // _SQS_REQUEST_BYTES),
        uploads=sum(message.file is not None for message in batch.messages),
        unsent=len(batch.unsent),
        skipped=batch.skipped,
        archived=batch.archived,
    )


def cost_lines(
    counts: Counter[str], *, fifo: bool = False, others: Iterable[str] = ()
) -> Iterator[str]:
    """Yield lines about the cost of sending and of storing the results.

    Args:
        counts: the sum over all batches.
        fifo: whether the queue is a FIFO queue.
        others: lines about other costs of the run.
    """
    request_dollars = _SQS_FIFO_REQUEST_DOLLARS if fifo else _SQS_REQUEST_DOLLARS
    requests = counts["requests"]
    yield f"SQS requests: {requests:,}, {_dollars(requests * request_dollars)}"
    yield from others
    writes = counts["messages"] * _WRITE_UNITS * _DYNAMODB_WRITE_UNIT_DOLLARS
    yield (
        f"storing results: {_dollars(writes)} if everyone shows face and hands, half of that with\n"
        "LANDMARK_ENCODING=int16"
    )
    yield (
        f"List prices of {_PRICES_OF}, without free tiers. Not included: processing (SQS receives\n"
        "and deletes, Lambda, S3 reads), storage, encryption keys and data transfer."
    )


def listing_line(counts: Counter[str]) -> str:
    """Return a line about the cost of listing a bucket."""
    entries = sum(counts[name] for name in ("messages", "unsent", "skipped", "archived"))
    requests = -(-entries // _KEYS_PER_LISTING)
    return f"listing: {_dollars(requests * _S3_WRITE_OR_LIST_DOLLARS)}"


def upload_line(uploads: int) -> str:
    """Return a line about the cost of uploads. A file of more than 8 MB takes several requests."""
    return f"uploads: {uploads:,}, {_dollars(uploads * _S3_WRITE_OR_LIST_DOLLARS)}"


def scan_line(items: int) -> str:
    """Return a line about the cost of reading the table, at about one read unit an item."""
    return f"reading the table: about {_dollars(items * _DYNAMODB_READ_UNIT_DOLLARS)} (late 2025)"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.7f}".rstrip("0")
