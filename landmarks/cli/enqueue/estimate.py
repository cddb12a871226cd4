"""What enqueueing costs, by AWS's price list."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from landmarks.cli.enqueue.batches import Batch

# US dollars, us-east-1, list prices as quoted in June 2026, without free tiers and discounts:
# https://aws.amazon.com/sqs/pricing/ (standard queues), https://aws.amazon.com/s3/pricing/
PRICES_OF: Final = "us-east-1, June 2026"


SQS_REQUEST_DOLLARS: Final = 0.40 / 1_000_000


S3_WRITE_OR_LIST_DOLLARS: Final = 0.005 / 1_000


# Each begun 64 KiB of a request counts as one.
_SQS_REQUEST_BYTES: Final = 64 * 1024


_KEYS_A_LIST: Final = 1_000


@dataclass(slots=True)
class Estimate:
    """What would be sent.

    Attributes:
        messages: how many.
        message_bytes: their bodies.
        object_bytes: the objects they name, where the source tells.
        refused: entries that can't be messages.
        left_out: entries that are not wanted.
        sqs_requests: to send them, as SQS bills them.
        uploads: files that would be uploaded.
    """

    messages: int = 0
    message_bytes: int = 0
    object_bytes: int = 0
    refused: int = 0
    left_out: int = 0
    sqs_requests: int = 0
    uploads: int = 0

    def add(self, batch: Batch) -> None:
        """Count one more batch."""
        self.messages += len(batch.messages)
        self.message_bytes += batch.bytes
        self.object_bytes += sum(message.size_bytes for message in batch.messages)
        self.refused += len(batch.refused)
        self.left_out += batch.left_out
        self.sqs_requests += -(-batch.bytes // _SQS_REQUEST_BYTES)
        self.uploads += sum(message.file is not None for message in batch.messages)

    @property
    def entries(self) -> int:
        """How many objects, files or lines there are."""
        return self.messages + self.refused + self.left_out

    @property
    def sqs_dollars(self) -> float:
        """For sending."""
        return self.sqs_requests * SQS_REQUEST_DOLLARS

    def listing_dollars(self) -> float:
        """For listing the objects once."""
        return -(-self.entries // _KEYS_A_LIST) * S3_WRITE_OR_LIST_DOLLARS

    @property
    def upload_dollars(self) -> float:
        """For uploading; a file over 8 MB is several requests, and counts as one here."""
        return self.uploads * S3_WRITE_OR_LIST_DOLLARS


def estimate(batches: Iterable[Batch]) -> Estimate:
    """Count batches without sending them."""
    total = Estimate()
    for batch in batches:
        total.add(batch)
    return total
