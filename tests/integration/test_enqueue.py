"""`landmarks enqueue`, from listings and lines to messages in the queue."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.stub import Stubber

from landmarks.cli.enqueue.messages import Jobs
from landmarks.cli.enqueue.run import Run
from landmarks.cli.enqueue.s3_sources import S3Source, listing_client
from landmarks.cli.enqueue.sources import LineSource
from landmarks.cli.enqueue.state import Totals
from landmarks.cli.options import Place
from landmarks.job import Job
from tests.fakes import LONGEST_KEY, Cloud
from tests.integration.enqueueing import attribute, jobs, keys, run
from worker.jobs import decode_message


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command in the test's folder, because it writes files."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def filled(cloud: Cloud) -> Cloud:
    """A bucket with photographs in two folders, and other objects."""
    for key in (
        "album/a.jpg",
        "album/b.JPEG",
        "album/deep/c 1+1 é.png",
        "album/notes.txt",
        "album/",
        "album-private/d.webp",
        "album.jpg",
    ):
        cloud.put(key, b"" if key.endswith("/") else b"content")
    return cloud


def test_a_folder_is_everything_below_it_and_nothing_beside_it(filled: Cloud) -> None:
    """Images at all depths are sent; neighbours, notes and folder markers are not."""
    result = run(filled, f"s3://{filled.stack.bucket}/album")

    assert result.exit_code == 0
    assert "3 sent" in result.stderr
    assert "1 skipped by --suffix or --since" in result.stderr
    assert jobs(filled) == [
        {"key": key, "bucket": filled.stack.bucket}
        for key in ("album/a.jpg", "album/b.JPEG", "album/deep/c 1+1 é.png")
    ]


@pytest.mark.parametrize("option", [(), ("--dry-run",)])
def test_archived_objects_are_skipped_and_counted(filled: Cloud, option: tuple[str, ...]) -> None:
    """Even if named, because they would only be stored as failed."""
    filled.put("album/cold.jpg", b"content", storage_class="GLACIER")
    filled.put("album/colder.jpg", b"content", storage_class="DEEP_ARCHIVE")
    filled.put("cold.jpg", b"content", storage_class="GLACIER")
    bucket = f"s3://{filled.stack.bucket}"

    result = run(filled, f"{bucket}/album/", f"{bucket}/cold.jpg", *option)

    assert result.exit_code == 0
    assert "3 skipped: archived\n" in result.stderr
    sent = ["album/a.jpg", "album/b.JPEG", "album/deep/c 1+1 é.png"]
    assert keys(filled) == ([] if option else sent)


@pytest.mark.usefixtures("services")
def test_restored_objects_are_not_skipped() -> None:
    """S3 lists them under their archive class, with what the embedded S3 does not know."""
    restored = {"IsRestoreInProgress": False, "RestoreExpiryDate": datetime(2027, 1, 1, tzinfo=UTC)}
    archived = {"StorageClass": "GLACIER", "Size": 1, "LastModified": datetime.now(UTC)}
    listed = [
        archived | {"Key": "a.jpg", "RestoreStatus": restored},
        archived | {"Key": "b.jpg", "RestoreStatus": {"IsRestoreInProgress": True}},
        archived | {"Key": "c.jpg"},
    ]
    request = {"Bucket": "bucket", "Prefix": "", "OptionalObjectAttributes": ["RestoreStatus"]}
    s3 = listing_client()

    with Stubber(s3) as stub:
        stub.add_response("list_objects_v2", {"Contents": listed}, request)
        (batch,) = Jobs([S3Source(s3, Place("bucket", ""))]).batches()

    assert [message.key for message in batch.messages] == ["a.jpg"]
    assert batch.archived == 2


def test_folder_markers_are_never_sent(filled: Cloud) -> None:
    """From a listing or from lines."""
    bucket = filled.stack.bucket
    lines = f'album/\ns3://{bucket}/album/\n{{"key": "album/"}}\nalbum_$folder$\nalbum.jpg\n'
    filled.put("album/a_$folder$", b"")

    for source in (f"s3://{bucket}/album/a*", "-"):
        result = run(filled, source, "--all-suffixes", lines=lines)
        assert result.stderr.startswith("1 sent")

    assert keys(filled) == ["album.jpg", "album/a.jpg"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ["album-private/d.webp", "album.jpg", "album/a.jpg", "album/b.JPEG"]),
        ("album/", ["album/a.jpg", "album/b.JPEG"]),
        ("album*", ["album-private/d.webp", "album.jpg", "album/a.jpg", "album/b.JPEG"]),
        ("album/a*", ["album/a.jpg"]),
        ("album.jpg", ["album.jpg"]),
        ("album/notes.txt", ["album/notes.txt"]),
    ],
)
def test_what_an_s3_url_names(filled: Cloud, path: str, expected: list[str]) -> None:
    """A full key is one object, a star is a prefix, and anything else is a folder."""
    result = run(filled, f"s3://{filled.stack.bucket}/{path}", "--concurrency", "1")

    assert result.exit_code == 0
    assert [key for key in keys(filled) if "deep" not in key] == expected


def test_images_are_known_by_their_suffix(cloud: Cloud) -> None:
    """Of every format that the worker reads, in upper or lower case."""
    suffixes = [
        "jpg",
        "jpeg",
        "jpe",
        "jfif",
        "mpo",
        "png",
        "webp",
        "heic",
        "heif",
        "avif",
        "tif",
        "tiff",
        "bmp",
        "gif",
    ]
    images = {f"{case}.{case}" for name in suffixes for case in (name, name.upper())}
    strangers = ["heic", "a.jp2", "a.jpg.txt", "a.svg", "a.jpgs", "a"]

    result = run(cloud, "-", lines="\n".join([*images, *strangers]))

    assert result.exit_code == 0
    assert set(keys(cloud)) == images


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--suffix", ".TXT", "--suffix", "png"], ["album/deep/c 1+1 é.png", "album/notes.txt"]),
        (["--all-suffixes", "--since", "2020-01-01T00:00"], ["album/notes.txt"]),
        (["--since", "2020-01-01"], []),
        (["--all-suffixes", "--since", "7d"], ["album/notes.txt"]),
    ],
)
def test_filters(filled: Cloud, options: list[str], expected: list[str]) -> None:
    """Suffixes ignore case, and objects older than --since are left out."""
    for key in ("album/a.jpg", "album/b.JPEG"):
        filled.set_modified(key, datetime(2019, 12, 31, tzinfo=UTC))
    if "--suffix" not in options:
        filled.set_modified("album/deep/c 1+1 é.png", datetime(2000, 1, 1, tzinfo=UTC))

    result = run(filled, f"s3://{filled.stack.bucket}/album/", *options)

    assert result.exit_code == 0
    assert keys(filled) == expected


def test_job_options_are_in_every_message(filled: Cloud) -> None:
    """The worker decodes the job id and force from every message."""
    url = f"s3://{filled.stack.bucket}/album.jpg"

    assert run(filled, url, "--job-id", "order 17 ✓", "--force").exit_code == 0

    (body,) = map(json.dumps, jobs(filled))
    assert decode_message(body, default_bucket=None) == (
        Job(filled.stack.bucket, "album.jpg", job_id="order 17 ✓", force=True),
    )


def test_delayed_jobs_stay_away(filled: Cloud) -> None:
    """SQS holds back delayed messages."""
    assert run(filled, f"s3://{filled.stack.bucket}/album", "--delay", "900").exit_code == 0

    assert attribute(filled, "ApproximateNumberOfMessagesDelayed") == 3
    assert keys(filled) == []


def test_dry_run_counts_and_sends_nothing(filled: Cloud) -> None:
    """Counts, bytes, costs and skipped entries are printed, and the queue stays empty."""
    result = run(filled, f"s3://{filled.stack.bucket}/album", "--dry-run", QUEUE_URL="")

    assert result.exit_code == 0
    assert result.stdout.startswith("3 messages, ")
    assert "for objects of 21 bytes" in result.stdout
    assert "SQS requests: 1, $0.0000004" in result.stdout
    assert "storing results: $0.000015 if everyone" in result.stdout  # 3 of 8 write units
    assert "LANDMARK_ENCODING=int16" in result.stdout
    assert "Not included" in result.stdout
    assert filled.queued() == 0


# Standard input


def test_lines_are_keys_urls_or_jobs(cloud: Cloud) -> None:
    """Each kind of line becomes a job in the right bucket; empty lines are ignored."""
    lines = """\
photos/ a+b%20é.jpg\x20

s3://elsewhere/c d.png
{"key": "e.jpg", "version_id": "v1", "job_id": "own", "force": true, "note": 1}
{"key": "own.jpg", "bucket": "own"}
left-out.gif"""
    suffixes = ["--suffix=jpg", "--suffix=png", "--suffix=jpg "]
    options = ["--bucket=camera-roll", "--job-id=everybody's", *suffixes]

    result = run(cloud, "-", *options, lines=f"{lines}\r\n")

    assert result.exit_code == 0
    assert jobs(cloud) == [
        {"key": "c d.png", "bucket": "elsewhere", "job_id": "everybody's"},
        {
            "key": "e.jpg",
            "bucket": "camera-roll",
            "version_id": "v1",
            "job_id": "own",
            "force": True,
        },
        {"key": "own.jpg", "bucket": "own", "job_id": "everybody's"},
        {"key": "photos/ a+b%20é.jpg ", "bucket": "camera-roll", "job_id": "everybody's"},
    ]


def test_lines_may_name_access_points_and_old_buckets(cloud: Cloud) -> None:
    """An access point's ARN has a slash of its own."""
    arns = [f"arn:aws:s3:eu-west-1:123456789012:accesspoint{mark}photos" for mark in "/:"]
    buckets = [*arns, "MyCompany_Photos", "photos-abcdef123456-s3alias"]

    result = run(cloud, "-", lines="".join(f"s3://{bucket}/a/b.jpg\n" for bucket in buckets))

    assert result.exit_code == 0
    assert {(job["bucket"], job["key"]) for job in jobs(cloud)} == {
        (bucket, "a/b.jpg") for bucket in buckets
    }


def test_the_longest_keys_pass(cloud: Cloud) -> None:
    """Ten keys of S3's maximum length fit into one batch of SQS."""
    result = run(cloud, "-", "--all-suffixes", lines=f"{LONGEST_KEY}\n" * 10)

    assert result.exit_code == 0
    assert jobs(cloud) == [{"key": LONGEST_KEY}] * 10


def test_lines_that_are_no_jobs_are_listed_and_the_rest_is_sent(cloud: Cloud) -> None:
    """Invalid lines are listed with reasons, and the exit status is 1."""
    nested = '{"key": ' + "[" * 100_000
    lines = ["good.jpg", '{"kee": "x"}', '{"key": ', "x" * 2_000, "s3://", nested, "also-good.jpg"]

    result = run(
        cloud, "-", "--unsent", "unsent.jsonl", lines="\n".join(lines).encode() + b"\nbad\xff\n"
    )

    assert result.exit_code == 1
    assert '6 not sent:\n  {"kee": "x"}: line 2: key: missing\n' in result.stderr
    assert result.stderr.endswith(
        "full list with reasons: unsent.jsonl\nonce fixed: landmarks enqueue - < unsent.jsonl\n"
    )
    assert keys(cloud) == ["also-good.jpg", "good.jpg"]
    listed = [json.loads(line) for line in Path("unsent.jsonl").read_text("utf-8").splitlines()]
    assert [entry["error"].split(":")[0] for entry in listed] == [
        f"line {number}" for number in (2, 3, 4, 5, 6, 8)
    ]


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["photos"], "photos: not an s3:// URL; files and folders need --upload"),
        (["s3://"], "s3://bucket/prefix"),
        (["s3://b", "--since", "soon"], "90s, 15m, 24h, 7d or 2w"),
        (["s3://b", "--since", "soon"], "or a date such as 2026-01-31"),
        (["-", "--since", "7d"], "no dates"),
        (["s3://b", "--delay", "901"], "901"),
        (["s3://b", "--suffix", "a", "--all-suffixes"], "can't be combined"),
        (["s3://b", "--queue-url", ""], "--queue-url is missing"),
        (["s3://b", "--delay", "9", "--queue-url", "https://sqs/1/a.fifo"], "FIFO queues can't"),
        (["-", "--inventory"], "--inventory needs s3:// URLs"),
        (["s3://b", "--upload", "s3://c"], "--upload needs files or folders"),
        (["-", "--job-id", "x" * 257], "more than 256 characters"),
    ],
)
def test_wrong_usage_is_status_2(cloud: Cloud, arguments: list[str], words: str) -> None:
    """Contradicting options are rejected before anything is sent."""
    result = run(cloud, *arguments)

    assert result.exit_code == 2
    assert words in result.stderr


def test_nothing_there_is_an_error(cloud: Cloud) -> None:
    """A misspelt URL is an error."""
    cloud.put("album/a.jpg", b"")

    result = run(cloud, f"s3://{cloud.stack.bucket}/albun")

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: s3://{cloud.stack.bucket}/albun: no such object, and nothing below it\n"
    )


def test_no_such_bucket(cloud: Cloud) -> None:
    """The error has the bucket and says what to do."""
    result = run(cloud, "s3://not-there")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: not-there: no such bucket at http://127.0.0.1:")
    assert result.stderr.endswith(f": check its name (IMAGE_BUCKET is {cloud.stack.bucket})\n")


def test_no_such_queue(cloud: Cloud) -> None:
    """The error says where to find the URL, and no files are left."""
    result = run(cloud, "-", "--queue-url", f"{cloud.stack.queue_url}-gone", lines="a.jpg\n")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no such queue at http://127.0.0.1:")
    assert len(result.stderr.splitlines()) == 1
    assert list(Path.cwd().iterdir()) == []


# From a program


def test_a_program_can_send_without_a_terminal(filled: Cloud) -> None:
    """`Run` returns totals and reasons, and writes no files."""
    lines = LineSource([b"album.jpg\n", b"{}\n"])
    run = Run(Jobs([lines], suffixes=(".jpg",)), filled.stack.queue_url)

    totals = run.send()

    assert totals == Totals(sent=1, unsent=1)
    assert run.reasons == [("{}", "line 2: key: missing")]
    assert keys(filled) == ["album.jpg"]
    assert list(Path.cwd().iterdir()) == []
