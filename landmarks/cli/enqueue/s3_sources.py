"""Sources of objects in S3: a bucket listing or an S3 Inventory."""

import csv
import gzip
import hashlib
import io
import json
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote_plus

import boto3
import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

from landmarks.cli.enqueue.sources import Entry, SourceError
from landmarks.cli.options import Place

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

T = TypeVar("T")

_TRUE: Final = "true"
# Objects in the archive tiers of INTELLIGENT_TIERING can't be told from others here.
_ARCHIVES: Final = {"GLACIER", "DEEP_ARCHIVE"}


@dataclass(frozen=True)
class S3Source:
    """The objects of an S3 URL: one object, a folder or, with a trailing `*`, a prefix.

    `s3://bucket/name` is the object with that exact key if it exists, otherwise everything below
    `name/`. The cursor is the key.
    """

    s3: "S3Client" = field(repr=False)
    place: Place

    def entries(self, after: str) -> Iterator[Entry]:
        """Yield the objects in S3's order, which is that of the keys' UTF-8 bytes.

        Raises:
            SourceError: the object does not exist, and neither does anything below it.
        """
        key, empty = self.place.prefix, True
        if key and not key.endswith(("/", "*")):
            if after == key:
                return
            if not after and (exact := self._exact(key)):
                yield exact
                return
            key += "/"
        for objects in prefetched(self._pages(key.removesuffix("*"), after)):
            for item in objects:
                empty = False
                yield self._entry(item)
        if empty and not after:
            raise SourceError(
                f"s3://{self.place.bucket}/{self.place.prefix}: "
                "no such object, and nothing below it"
            )

    def _exact(self, key: str) -> Entry | None:
        """Return the object with this exact key, which S3 lists first of all with this prefix."""
        answer = self.s3.list_objects_v2(
            Bucket=self.place.bucket,
            Prefix=key,
            MaxKeys=1,
            OptionalObjectAttributes=["RestoreStatus"],
        )
        items = [item for item in answer.get("Contents", []) if item["Key"] == key]
        return self._entry(items[0], named=True) if items else None

    def _pages(self, prefix: str, after: str) -> Iterator[list["ObjectTypeDef"]]:
        request = partial(
            self.s3.get_paginator("list_objects_v2").paginate,
            Bucket=self.place.bucket,
            Prefix=prefix,
            OptionalObjectAttributes=["RestoreStatus"],
        )
        pages = request(StartAfter=after) if after else request()
        return (page.get("Contents", []) for page in pages)

    def _entry(self, item: "ObjectTypeDef", *, named: bool = False) -> Entry:
        return Entry(
            key=item["Key"],
            cursor=item["Key"],
            bucket=self.place.bucket,
            size_bytes=item["Size"],
            modified=item["LastModified"],
            named=named,
            archived=item.get("StorageClass") in _ARCHIVES and not _is_restored(item),
        )


def _is_restored(item: "ObjectTypeDef") -> bool:
    """Return whether an archived object has a copy that can be read."""
    return "RestoreExpiryDate" in item.get("RestoreStatus", {})


def listing_client() -> "S3Client":
    """Return an S3 client that lists 2.3 times as fast as boto3's default.

    By default, more than half of the time goes into dateutil guessing date formats.
    """
    session = botocore.session.get_session()
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=_timestamp)
    retries = Config(retries={"mode": "standard", "total_max_attempts": 5})
    return boto3.Session(botocore_session=session).client("s3", config=retries)


def _timestamp(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # HTTP headers have another format
        return parse_timestamp(text)


def prefetched(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, fetching the next one while the current one is in use."""
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, "listing") as thread:
        coming = thread.submit(next, iterator, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, iterator, end)
            yield item  # type: ignore[misc]  # it is not `end`


@dataclass(frozen=True)
class InventorySource:
    """The current objects in an S3 Inventory, given its `manifest.json`. Only CSV is supported.

    The cursor is the number of rows read. Data files are downloaded to a temporary file first,
    because S3 closes connections that are idle while we wait for SQS.
    """

    s3: "S3Client" = field(repr=False)
    manifest: Place

    def entries(self, after: str) -> Iterator[Entry]:
        """Yield the objects in the order of the manifest's files and their rows.

        Raises:
            SourceError: the manifest is invalid, or a file does not match it.
        """
        done, number = int(after or 0), 0
        manifest = self._read_manifest()
        columns = [name.strip() for name in manifest["fileSchema"].split(",")]
        for file in manifest["files"]:
            with self._rows(file["key"], file.get("MD5checksum")) as rows:
                for row in rows:
                    number += 1
                    entry = _entry(dict(zip(columns, row, strict=False)), str(number))
                    if entry and number > done:
                        yield entry

    def _read_manifest(self) -> dict[str, Any]:
        url = f"s3://{self.manifest.bucket}/{self.manifest.prefix}"
        answer = self.s3.get_object(Bucket=self.manifest.bucket, Key=self.manifest.prefix)
        try:
            manifest: dict[str, Any] = json.loads(answer["Body"].read())
            kind, _ = manifest["fileFormat"], [file["key"] for file in manifest["files"]]
            columns = {name.strip() for name in manifest["fileSchema"].split(",")}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError(f"{url}: not an S3 Inventory manifest.json: {error}") from error
        if kind != "CSV":
            raise SourceError(f"{url}: a {kind} inventory; only CSV is supported")
        if not {"Bucket", "Key"} <= columns:
            raise SourceError(f"{url}: no columns Bucket and Key in {manifest['fileSchema']!r}")
        return manifest

    @contextmanager
    def _rows(self, key: str, md5: str | None) -> Iterator[Iterator[list[str]]]:
        with tempfile.TemporaryFile() as file:
            self._download(key, md5, file)
            try:
                with gzip.open(file) as plain, io.TextIOWrapper(plain, "utf-8", newline="") as text:
                    yield csv.reader(text)
            except gzip.BadGzipFile as error:  # its message has bytes as Python writes them
                raise SourceError(f"{key}: not a gzipped CSV file") from error
            except (zlib.error, EOFError, UnicodeError, csv.Error) as error:
                raise SourceError(f"{key}: not a gzipped CSV file: {error}") from error

    def _download(self, key: str, md5: str | None, file: IO[bytes]) -> None:
        digest = hashlib.md5(usedforsecurity=False)
        body = self.s3.get_object(Bucket=self.manifest.bucket, Key=key)["Body"]
        for chunk in body.iter_chunks(1 << 20):
            digest.update(chunk)
            file.write(chunk)
        file.seek(0)
        if md5 and digest.hexdigest() != md5:
            raise SourceError(f"{key}: does not match the manifest (MD5 differs)")


def _entry(row: Mapping[str, str], cursor: str) -> Entry | None:
    """Return the row's object; None for a delete marker or an older version."""
    if row.get("IsDeleteMarker") == _TRUE or row.get("IsLatest", _TRUE) != _TRUE:
        return None
    try:
        modified = row.get("LastModifiedDate")
        return Entry(
            key=unquote_plus(row["Key"], errors="strict"),
            cursor=cursor,
            bucket=row["Bucket"],
            version_id=row.get("VersionId") or None,
            size_bytes=int(row.get("Size") or 0),
            modified=_utc(datetime.fromisoformat(modified)) if modified else None,
            archived=row.get("StorageClass") in _ARCHIVES,
        )
    except (KeyError, ValueError) as error:
        return Entry(",".join(row.values()), cursor, error=f"row {cursor}: {error}")


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
