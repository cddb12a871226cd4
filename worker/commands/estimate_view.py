"""What a run of `landmarks enqueue` would send and cost, for a person's eyes."""

from typing import Final

from worker.commands.sending import leftover_lines
from worker.operations.enqueue.estimate import PRICES_OF, Estimate

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")
_STEP: Final = 1000


def estimate_lines(estimate: Estimate, *, listed: bool) -> list[str]:
    """What a run would send and cost."""
    lines = [
        f"{estimate.messages:,} messages, {_size(estimate.message_bytes)}"
        + (f", about objects of {_size(estimate.object_bytes)}" if estimate.object_bytes else ""),
        *leftover_lines(estimate.left_out, estimate.refused),
        f"SQS requests to send them: {estimate.sqs_requests:,}, {_dollars(estimate.sqs_dollars)}",
    ]
    if listed:
        lines.append(f"listing once: {_dollars(estimate.listing_dollars())}")
    if estimate.uploads:
        lines.append(f"uploads: {estimate.uploads:,}, {_dollars(estimate.upload_dollars)}")
    return [
        *lines,
        f"List prices of {PRICES_OF}, without free tiers. Not included: whatever the worker does",
        "with them (SQS receives and deletes, Lambda, S3 reads, DynamoDB writes), storage,",
        "encryption keys and data transfer.",
    ]


def _size(count: float) -> str:
    """Bytes, rounded for people."""
    for unit in _UNITS:
        if count < _STEP or unit == _UNITS[-1]:
            break
        count /= _STEP
    return f"{count:,.0f} {unit}" if unit == _UNITS[0] else f"{count:,.1f} {unit}"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.7f}".rstrip("0")
