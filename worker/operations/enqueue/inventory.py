"""Objects of a bucket, by S3 Inventory: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html."""

import csv
import gzip
import hashlib
import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from worker.operations.enqueue.entries import Entry, Found, Refusal, SourceError
from worker.operations.enqueue.listing import S3Url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRUE: Final = "true"


@dataclass(frozen=True)
class InventorySource:
    """The current objects that an inventory's `manifest.json` leads to, CSV files only.

    The cursor is the number of rows read. A data file is brought to a temporary file first:
    S3 would break off a connection that waits for SQS.
    """

    s3: "S3Client" = field(repr=False)
    manifest: S3Url
    dated: bool = True

    def entries(self, after: str) -> Iterator[Found]:
        """File by file, row by row, as the manifest lists them.

        Raises:
            SourceError: it is no manifest, or a file is not as it says.
        """
        done, number = int(after or 0), 0
        manifest = self._read_manifest()
        columns = [name.strip() for name in manifest["fileSchema"].split(",")]
        for file in manifest["files"]:
            with self._rows(file["key"], file.get("MD5checksum")) as rows:
                for row in rows:
                    number += 1
                    found = _found(dict(zip(columns, row, strict=False)), str(number))
                    if found and number > done:
                        yield found

    def _read_manifest(self) -> dict[str, Any]:
        answer = self.s3.get_object(Bucket=self.manifest.bucket, Key=self.manifest.key)
        try:
            manifest = json.loads(answer["Body"].read())
            kind, _ = manifest["fileFormat"], [file["key"] for file in manifest["files"]]
            columns = manifest["fileSchema"]
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(
                f"{self.manifest}: no manifest.json of S3 Inventory: {error}"
            ) from error
        if kind != "CSV":
            raise SourceError(f"{self.manifest}: only inventories of format CSV, this one: {kind}")
        if not {"Bucket", "Key"} <= {name.strip() for name in columns.split(",")}:
            raise SourceError(f"{self.manifest}: no columns Bucket and Key in: {columns}")
        return dict(manifest)

    @contextmanager
    def _rows(self, key: str, md5: str | None) -> Iterator[Iterator[list[str]]]:
        with tempfile.TemporaryFile() as file:
            self._bring(key, md5, file)
            try:
                with gzip.open(file) as plain, io.TextIOWrapper(plain, "utf-8", newline="") as text:
                    yield csv.reader(text)
            except (gzip.BadGzipFile, EOFError, UnicodeError, csv.Error) as error:
                raise SourceError(f"{key}: no CSV in gzip: {error}") from error

    def _bring(self, key: str, md5: str | None, file: IO[bytes]) -> None:
        digest = hashlib.md5(usedforsecurity=False)
        body = self.s3.get_object(Bucket=self.manifest.bucket, Key=key)["Body"]
        for chunk in body.iter_chunks(1 << 20):
            digest.update(chunk)
            file.write(chunk)
        file.seek(0)
        if md5 and digest.hexdigest() != md5:
            raise SourceError(f"{key}: not the file that the manifest describes (MD5 differs)")


def _found(row: Mapping[str, str], cursor: str) -> Found | None:
    """None for what is no current content: a delete marker, or an older version."""
    if row.get("IsDeleteMarker") == _TRUE or row.get("IsLatest", _TRUE) != _TRUE:
        return None
    try:
        key = unquote_plus(row["Key"], errors="strict")
        size, modified = row.get("Size"), row.get("LastModifiedDate")
        return Entry(
            key=key,
            cursor=cursor,
            bucket=row["Bucket"],
            version_id=row.get("VersionId") or None,
            size_bytes=int(size) if size else None,
            modified=_moment(modified) if modified else None,
        )
    except (KeyError, ValueError) as error:
        return Refusal(",".join(row.values()), f"row {cursor}: {error}", cursor)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
