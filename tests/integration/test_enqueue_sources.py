"""`landmarks enqueue --inventory` and `--upload`."""

import csv
import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from landmarks.cli.enqueue.sources import Entry, FileSource
from tests.fakes import Cloud
from tests.integration.enqueueing import jobs, keys, run

COLUMNS = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate"
MODIFIED = "2026-01-02T03:04:05.000Z"
GZIPPED = gzip.compress(b'"camera-roll","a.jpg"\n' * 9)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command in the test's folder, because it writes files."""
    monkeypatch.chdir(tmp_path)


def row(key: str, version: str = "", *, latest: bool = True, marker: bool = False) -> list[str]:
    """Return an inventory row as S3 writes it, for a bucket other than the inventory's."""
    flags = [str(latest).lower(), str(marker).lower()]
    return ["camera-roll", quote_plus(key, safe="/"), version, *flags, "21", MODIFIED]


def put_inventory(
    cloud: Cloud, *files: list[list[str]], columns: str = COLUMNS, **fields: object
) -> str:
    """Store data files and their manifest, and return its URL. Keywords replace fields."""
    described: list[dict[str, Any]] = []
    for number, rows in enumerate(files):
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
        content = gzip.compress(text.getvalue().encode())
        cloud.put(f"inventory/data/{number}.csv.gz", content)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        described.append({"key": f"inventory/data/{number}.csv.gz", "MD5checksum": md5})
    manifest = {"fileFormat": "CSV", "fileSchema": columns, "files": described, **fields}
    cloud.put("inventory/manifest.json", json.dumps(manifest).encode())
    return f"s3://{cloud.stack.bucket}/inventory/manifest.json"


def test_an_inventory_names_current_objects(cloud: Cloud) -> None:
    """Keys are decoded; older versions and delete markers are left out."""
    url = put_inventory(
        cloud,
        [row("a 1+1 é%.jpg", "v9"), row("a 1+1 é%.jpg", "v8", latest=False)],
        [row("gone.jpg", "v1", marker=True), row("plain.jpg"), row("notes.txt")],
    )

    result = run(cloud, url, "--inventory")

    assert result.exit_code == 0
    assert jobs(cloud) == [
        {"key": "a 1+1 é%.jpg", "bucket": "camera-roll", "version_id": "v9"},
        {"key": "plain.jpg", "bucket": "camera-roll"},
    ]


def test_an_inventory_can_be_counted(cloud: Cloud) -> None:
    """A dry run uses the sizes and dates in the inventory."""
    url = put_inventory(cloud, [row(f"{number}.jpg") for number in range(25)])

    result = run(cloud, url, "--inventory", "--dry-run", "--since", "2026-01-01")

    assert result.stdout.startswith("25 messages, ")
    assert "objects of 525 bytes" in result.stdout
    assert "SQS requests: 3," in result.stdout


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fileFormat": "Parquet"}, "a Parquet inventory; only CSV is supported"),
        ({"fileSchema": "Key, Size"}, "no columns Bucket and Key"),
        ({"files": [{"name": "x"}]}, "not an S3 Inventory manifest.json"),
        ({"files": [{"key": "nothing.csv.gz"}]}, "no such object"),
    ],
)
def test_a_manifest_that_leads_nowhere(cloud: Cloud, fields: dict[str, Any], words: str) -> None:
    """An invalid manifest is an error in one line."""
    url = put_inventory(cloud, [row("a.jpg")], **fields)

    result = run(cloud, url, "--inventory")

    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_data_file_of_another_content_is_refused(cloud: Cloud) -> None:
    """A file that doesn't match the manifest is not sent."""
    url = put_inventory(cloud, [row("a.jpg")])
    cloud.put("inventory/data/0.csv.gz", gzip.compress(b'"camera-roll","other.jpg"\n'))

    result = run(cloud, url, "--inventory")

    assert result.exit_code == 1
    assert "MD5 differs" in result.stderr
    assert keys(cloud) == []


@pytest.mark.parametrize(
    "content",
    [GZIPPED[:-9], GZIPPED[:10] + b"\xff" * 20, b"my-photos,a.jpg\n"],
    ids=["cut short", "garbled", "not compressed"],
)
def test_a_damaged_data_file_is_one_line(cloud: Cloud, content: bytes) -> None:
    """Damage is detected even without a checksum."""
    cloud.put("inventory/damaged.gz", content)
    url = put_inventory(cloud, files=[{"key": "inventory/damaged.gz"}])

    result = run(cloud, url, "--inventory")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: inventory/damaged.gz: not a gzipped CSV file")
    assert "b'" not in result.stderr


def test_a_key_that_cannot_be_decoded_is_listed(cloud: Cloud) -> None:
    """The row is listed, and the others are sent."""
    url = put_inventory(cloud, [["b-b", "a.jpg"], ["b-b", "%ff.jpg"]], columns="Bucket, Key")

    result = run(cloud, url, "--inventory", "--unsent", "unsent.jsonl")

    assert result.exit_code == 1
    assert keys(cloud) == ["a.jpg"]
    assert json.loads(Path("unsent.jsonl").read_text("utf-8"))["line"] == "b-b,%ff.jpg"


def test_an_inventory_leaves_out_folders_and_archives(cloud: Cloud) -> None:
    """Archived objects are counted where the inventory has the storage class."""
    rows = [
        [*row(key), storage_class]
        for key, storage_class in [
            ("a.jpg", "STANDARD"),
            ("b.jpg", "GLACIER"),
            ("c.jpg", "DEEP_ARCHIVE"),
            ("d.jpg", "GLACIER_IR"),
            ("notes.txt", "GLACIER"),
        ]
    ]
    folder = [*row("folder/"), "STANDARD"]
    folder[5] = "0"
    url = put_inventory(cloud, [*rows, folder], columns=f"{COLUMNS}, StorageClass")

    result = run(cloud, url, "--inventory")

    assert "1 skipped by --suffix or --since\n2 skipped: archived\n" in result.stderr
    assert keys(cloud) == ["a.jpg", "d.jpg"]
    assert run(cloud, url, "--inventory", "--all-suffixes").exit_code == 0
    assert keys(cloud) == ["a.jpg", "d.jpg"]


# Folders


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three photographs, one in a subfolder, and a note."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for name in ("a 1+1.jpg", "b.PNG", "deep/é.webp", "notes.txt"):
        (folder / name).write_bytes(f"content of {name}".encode())
    return folder


def stored(cloud: Cloud, key: str) -> tuple[bytes, str]:
    """Return an object's content and type."""
    answer = cloud.clients["s3"].get_object(Bucket=cloud.stack.bucket, Key=key)
    return answer["Body"].read(), answer["ContentType"]


@pytest.mark.parametrize("destination", ["new", "new/"])
def test_a_folder_is_uploaded_and_enqueued(cloud: Cloud, photos: Path, destination: str) -> None:
    """Each photograph is uploaded with its type and has a message."""
    result = run(cloud, str(photos), "--upload", f"s3://{cloud.stack.bucket}/{destination}")

    assert result.exit_code == 0
    assert keys(cloud) == ["new/a 1+1.jpg", "new/b.PNG", "new/deep/é.webp"]
    assert stored(cloud, "new/a 1+1.jpg") == (b"content of a 1+1.jpg", "image/jpeg")
    assert stored(cloud, "new/deep/é.webp") == ("content of deep/é.webp".encode(), "image/webp")
    listing = cloud.clients["s3"].list_objects_v2(Bucket=cloud.stack.bucket)
    assert listing["KeyCount"] == 3


def test_a_folder_can_be_counted_without_uploading(cloud: Cloud, photos: Path) -> None:
    """A dry run prints the number and price of uploads, and uploads nothing."""
    result = run(cloud, str(photos), "--upload", f"s3://{cloud.stack.bucket}", "--dry-run")

    assert "uploads: 3, $0.000015" in result.stdout
    assert cloud.clients["s3"].list_objects_v2(Bucket=cloud.stack.bucket)["KeyCount"] == 0


@pytest.fixture
def locked(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A subfolder that can't be listed, not even by root, who may run these tests."""
    (photos / "locked").mkdir()
    listed = os.scandir

    def scandir(path: str | Path) -> Any:  # noqa: ANN401, an iterator with `close`
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr("os.scandir", scandir)
    return photos / "locked"


@pytest.mark.parametrize("option", [(), ("--dry-run",)])
def test_a_folder_that_cannot_be_read_is_named(
    cloud: Cloud, photos: Path, locked: Path, option: tuple[str, ...]
) -> None:
    """The reason is on standard error with exit status 1, also in a dry run."""
    result = run(cloud, str(photos), "--upload", f"s3://{cloud.stack.bucket}", *option)

    assert result.exit_code == 1
    assert f"1 not sent:\n  {locked}: Permission denied\n" in result.stderr
    assert keys(cloud) == ([] if option else ["a 1+1.jpg", "b.PNG", "deep/é.webp"])


def test_what_cannot_be_read_costs_only_itself(cloud: Cloud, photos: Path, locked: Path) -> None:
    """A broken link and a locked folder are listed; the rest is uploaded and sent."""
    (photos / "broken.jpg").symlink_to(photos / "nowhere.jpg")

    result = run(
        cloud, str(photos), "--upload", f"s3://{cloud.stack.bucket}", "--unsent", "unsent.jsonl"
    )

    assert result.exit_code == 1
    assert keys(cloud) == ["a 1+1.jpg", "b.PNG", "deep/é.webp"]
    assert [json.loads(line) for line in Path("unsent.jsonl").read_text("utf-8").splitlines()] == [
        {"line": str(photos / "broken.jpg"), "error": "No such file or directory"},
        {"line": str(locked), "error": "Permission denied"},
    ]
    assert result.stderr.endswith("once fixed: run the command again\n")


def test_a_file_that_vanishes_costs_only_itself(
    cloud: Cloud, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may vanish between the listing and the upload."""
    (photos / "a 0.jpg").touch()
    before = FileSource.entries

    def entries(source: FileSource, after: str) -> Iterator[Entry]:
        found = list(before(source, after))
        (photos / "a 0.jpg").unlink()
        yield from found

    monkeypatch.setattr(FileSource, "entries", entries)

    result = run(cloud, str(photos), "--upload", f"s3://{cloud.stack.bucket}")

    assert result.exit_code == 1
    assert f"  {photos / 'a 0.jpg'}: No such file or directory\n" in result.stderr
    assert keys(cloud) == ["a 1+1.jpg", "b.PNG", "deep/é.webp"]


def test_a_file_is_a_folder_of_one(cloud: Cloud, photos: Path) -> None:
    """The file is uploaded under its name, and filters don't apply."""
    files = (str(photos / "deep" / "é.webp"), str(photos / "notes.txt"))

    result = run(cloud, *files, "--upload", f"s3://{cloud.stack.bucket}/new")

    assert result.exit_code == 0
    assert keys(cloud) == ["new/notes.txt", "new/é.webp"]
    assert stored(cloud, "new/é.webp") == ("content of deep/é.webp".encode(), "image/webp")


def test_an_upload_into_no_bucket_is_one_line(cloud: Cloud, photos: Path) -> None:
    """Nothing is enqueued if the bucket doesn't exist."""
    result = run(cloud, str(photos), "--upload", "s3://not-there/x")

    assert result.exit_code == 1
    assert "not-there: no such bucket at http://" in result.stderr.splitlines()[-1]
    assert keys(cloud) == []


def test_no_such_folder(cloud: Cloud) -> None:
    """The error is one line with the path."""
    result = run(cloud, "nowhere", "--upload", f"s3://{cloud.stack.bucket}")

    assert result.exit_code == 1
    assert result.stderr == "Error: nowhere: no such file or folder\n"


def test_an_upload_that_stops_goes_on_with_the_rest(cloud: Cloud, photos: Path) -> None:
    """The next run uploads and sends the rest, each file once."""
    arguments = (str(photos), "--upload", f"s3://{cloud.stack.bucket}-later/x")
    assert run(cloud, *arguments, "--resume", "state.json").exit_code == 1
    cloud.make_bucket(f"{cloud.stack.bucket}-later")

    result = run(cloud, *arguments, "--resume", "state.json")

    assert result.exit_code == 0
    assert keys(cloud) == ["x/a 1+1.jpg", "x/b.PNG", "x/deep/é.webp"]
    listing = cloud.clients["s3"].list_objects_v2(Bucket=f"{cloud.stack.bucket}-later")
    assert listing["KeyCount"] == 3
