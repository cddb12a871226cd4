"""What a source's name on the command line stands for."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from worker.operations.enqueue.entries import Source
from worker.operations.enqueue.folder import FolderSource
from worker.operations.enqueue.inventory import InventorySource
from worker.operations.enqueue.lines import LineSource
from worker.operations.enqueue.listing import S3Source, S3Url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def open_source(
    text: str,
    s3: "S3Client | None",
    upload: str | None,
    bucket: str | None,
    *,
    inventory: bool,
) -> Source:
    """The source that is meant; nothing is read yet.

    Args:
        text: `-`, an S3 URL, or a folder.
        s3: reads what S3 URLs name; None if there are none.
        upload: S3 URL of where folders go.
        bucket: of lines that name none.
        inventory: an S3 URL is an inventory's manifest.

    Raises:
        OrderError: it is none of them.
    """
    if text == "-":
        return LineSource(sys.stdin.buffer, bucket)
    if upload:
        return FolderSource(Path(text), S3Url.parse(upload))
    url = S3Url.parse(text)
    if s3 is None:
        raise TypeError("an S3 URL needs a client")
    return InventorySource(s3, url) if inventory else S3Source(s3, url)
