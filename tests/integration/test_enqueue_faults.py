"""`landmarks enqueue` against services that reject, throttle, fail and hang up."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from landmarks.cli.main import landmarks
from tests.fakes import Cloud

Bodies = dict[str, str]
LINES = "".join(f"{number:02}.jpg\n" for number in range(40))


@dataclass
class Answer:
    """A service's answer: a status with an error code, or for SQS the entries that failed.

    Attributes:
        status: status of the whole request.
        code: error code of the request or of the entries.
        failed: ids of failed entries, and whether each is the sender's fault.
        hangs_up: whether to close the connection without an answer.
    """

    status: int = 200
    code: str = "Refused"
    failed: dict[str, bool] = field(default_factory=dict)
    hangs_up: bool = False


Script = Callable[[int, Bodies], Answer]


@dataclass
class Queue:
    """A scripted SQS, with a bucket, that records what it accepts.

    Attributes:
        script: maps the request's number, from 0, and its bodies by id to the answer.
        url: URL of the queue.
        taken: how often each body was accepted.
        uploads: the bucket's answers to the key `07.jpg`; the last one is repeated.
        stored: how often each key was uploaded.
        requests: number of requests to SQS.
    """

    script: Script
    url: str = ""
    taken: Counter[str] = field(default_factory=Counter)
    uploads: list[Answer] = field(default_factory=lambda: [Answer()])
    stored: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, bodies: Bodies) -> Answer:
        """Follow the script, and record what it accepts."""
        with self.lock:
            answer = self.script(self.requests, bodies)
            self.requests += 1
            if answer.status == 200 and not answer.hangs_up:
                self.taken.update(b for name, b in bodies.items() if name not in answer.failed)
            return answer

    def upload(self, key: str) -> Answer:
        """Follow the script for `07.jpg`, and accept the other keys."""
        with self.lock:
            answer = Answer()
            if key == "07.jpg":
                answer = self.uploads.pop(0) if len(self.uploads) > 1 else self.uploads[0]
            if answer.status == 200:
                self.stored[key] += 1
            return answer

    @property
    def keys(self) -> Counter[str]:
        """Return how often each key was accepted."""
        return Counter({json.loads(body)["key"]: n for body, n in self.taken.items()})


MakeQueue = Callable[[Script], Queue]


def _handler(queue: Queue) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Keep standard error quiet."""

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            bodies = {entry["Id"]: entry["MessageBody"] for entry in request["Entries"]}
            answer = queue.answer(bodies)
            if answer.hangs_up:
                self.close_connection = True
                return
            content = json.dumps(_fields(answer, bodies)).encode()
            self.answer(answer.status, "application/x-amz-json-1.0", content)

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer = queue.upload(self.path.partition("?")[0].rpartition("/")[2])
            error = f"<Error><Code>{answer.code}</Code><Message>no</Message></Error>".encode()
            self.answer(answer.status, "application/xml", b"" if answer.status == 200 else error)

        def answer(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def _fields(answer: Answer, bodies: Bodies) -> dict[str, Any]:
    if answer.status != 200:
        return {"__type": f"com.amazonaws.sqs#{answer.code}", "message": "no"}
    return {
        "Successful": [
            {
                "Id": name,
                "MessageId": name,
                "MD5OfMessageBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
            }
            for name, body in bodies.items()
            if name not in answer.failed
        ],
        "Failed": [
            {"Id": name, "Code": answer.code, "Message": "no", "SenderFault": fault}
            for name, fault in answer.failed.items()
        ],
    }


@pytest.fixture
def make_queue(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeQueue]:
    """Return a function that starts scripted services. Retries wait at most 10 ms."""
    del cloud  # only for the credentials of the embedded services
    monkeypatch.setattr("landmarks.cli.enqueue.sending._LONGEST_WAIT_SECONDS", 0.01)
    servers: list[ThreadingHTTPServer] = []

    def make(script: Script) -> Queue:
        queue = Queue(script)
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(queue))
        queue.url = f"http://127.0.0.1:{server.server_port}/q"
        for service in ("SQS", "S3"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", queue.url.removesuffix("/q"))
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        servers.append(server)
        return queue

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command in the test's folder, because it writes files."""
    monkeypatch.chdir(tmp_path)


def enqueue(queue: Queue, *options: str, source: str = "-", lines: str = LINES) -> Result:
    """Enqueue forty keys."""
    return CliRunner().invoke(
        landmarks, ["enqueue", source, "--queue-url", queue.url, *options], input=lines
    )


def upload(queue: Queue) -> Result:
    """Upload and enqueue a folder of forty files, resumably."""
    for name in LINES.split():
        Path("photos").mkdir(exist_ok=True)
        Path("photos", name).write_bytes(b"content")
    options = ("--upload", "s3://bucket", "--resume", "state.json", "--unsent", "unsent.jsonl")
    return enqueue(queue, *options, source="photos")


EVERY_KEY_ONCE = Counter(dict.fromkeys(LINES.split(), 1))


def test_what_sqs_refuses_is_sent_again_alone(make_queue: MakeQueue) -> None:
    """If SQS accepts part of a batch, only the rest is retried."""
    queue = make_queue(
        lambda n, bodies: Answer(failed=dict.fromkeys(list(bodies)[4 + n % 3 :], False))
    )

    result = enqueue(queue)

    assert result.exit_code == 0
    assert queue.keys == EVERY_KEY_ONCE


@pytest.mark.parametrize(
    "fault",
    [
        Answer(400, "ThrottlingException"),
        Answer(403, "RequestThrottled"),
        Answer(500, "InternalError"),
        Answer(503, "ServiceUnavailable"),
        Answer(hangs_up=True),
    ],
)
def test_a_fault_that_passes_costs_nothing(make_queue: MakeQueue, fault: Answer) -> None:
    """After throttling, failures or hang-ups, the batch is retried until accepted."""
    queue = make_queue(lambda n, _: fault if n % 2 == 0 else Answer())

    result = enqueue(queue, "--concurrency", "1")

    assert result.exit_code == 0
    assert queue.keys == EVERY_KEY_ONCE


def test_the_senders_fault_is_not_tried_again(make_queue: MakeQueue) -> None:
    """Such messages are listed, and the list can be sent once they are fixed."""

    def refuse_evens(_: int, bodies: Bodies) -> Answer:
        return Answer(failed={n: True for n, b in bodies.items() if int(b[8:10]) % 2 == 0})

    queue = make_queue(refuse_evens)
    result = enqueue(queue, "--unsent", "unsent.jsonl")
    assert result.exit_code == 1
    assert queue.requests == 4
    assert "20 sent" in result.stderr
    assert "20 not sent:" in result.stderr
    assert "Refused: no" in result.stderr

    queue.script = lambda *_: Answer()
    again = enqueue(queue, lines=Path("unsent.jsonl").read_text("utf-8"))

    assert again.exit_code == 0
    assert queue.keys == EVERY_KEY_ONCE


def test_a_message_that_is_always_refused_is_given_up(make_queue: MakeQueue) -> None:
    """After nine attempts it is listed, and the others are sent."""
    queue = make_queue(
        lambda _, bodies: Answer(failed={n: False for n, b in bodies.items() if "07.jpg" in b})
    )

    result = enqueue(queue)

    assert result.exit_code == 1
    assert "1 not sent:" in result.stderr
    assert queue.keys == EVERY_KEY_ONCE - Counter(["07.jpg"])


@pytest.mark.parametrize("fault", [True, False])
def test_an_entry_that_is_refused_because_of_the_key_stops_the_run(
    make_queue: MakeQueue, *, fault: bool
) -> None:
    """Without the KMS key, the run stops with all messages pending, and can be resumed."""
    queue = make_queue(
        lambda _, bodies: Answer(code="KmsAccessDenied", failed=dict.fromkeys(bodies, fault))
    )
    result = enqueue(queue, "--resume", "state.json")
    assert result.exit_code == 1
    assert "KmsAccessDenied" in result.stderr.splitlines()[-1]
    assert "not sent" not in result.stderr

    queue.script = lambda *_: Answer()
    assert enqueue(queue, "--resume", "state.json").exit_code == 0
    assert queue.keys == EVERY_KEY_ONCE


def test_an_entry_that_is_throttled_is_sent_again(make_queue: MakeQueue) -> None:
    """Throttling is retried even if SQS calls it the sender's fault."""
    queue = make_queue(
        lambda n, bodies: Answer(
            code="KmsThrottled", failed=dict.fromkeys([] if n % 2 else bodies, True)
        )
    )

    assert enqueue(queue).exit_code == 0
    assert queue.keys == EVERY_KEY_ONCE


@pytest.mark.parametrize("answer", [Answer(400, "KeyTooLongError"), Answer(409, "NotAFolder")])
def test_a_file_that_s3_refuses_costs_only_itself(make_queue: MakeQueue, answer: Answer) -> None:
    """The file is listed with the reason, the rest is sent, and the run is finished."""
    queue = make_queue(lambda *_: Answer())
    queue.uploads = [answer]

    result = upload(queue)

    assert result.exit_code == 1
    assert f"1 not sent:\n  photos/07.jpg: {answer.code}: no\n" in result.stderr
    assert queue.keys == queue.stored == EVERY_KEY_ONCE - Counter(["07.jpg"])
    assert json.loads(Path("unsent.jsonl").read_text("utf-8"))["line"] == "photos/07.jpg"
    assert "already finished" in upload(queue).stderr


@pytest.mark.parametrize(
    "answer",
    [
        Answer(403, "AccessDenied"),
        Answer(404, "NoSuchBucket"),
        Answer(400, "ExpiredToken"),
        Answer(400, "KMS.DisabledException"),
        Answer(301, "PermanentRedirect"),
    ],
)
def test_a_bucket_that_takes_no_files_stops_the_run(make_queue: MakeQueue, answer: Answer) -> None:
    """An error that would affect every file stops the run, which can be resumed."""
    queue = make_queue(lambda *_: Answer())
    queue.uploads = [answer]
    assert upload(queue).exit_code == 1
    assert not Path("unsent.jsonl").exists()

    queue.uploads = [Answer()]

    assert upload(queue).exit_code == 0
    assert queue.keys == queue.stored == EVERY_KEY_ONCE


@pytest.mark.parametrize(
    "answer", [Answer(503, "SlowDown"), Answer(400, "RequestTimeout"), Answer(500, "InternalError")]
)
def test_an_upload_that_may_succeed_later_is_tried_again(
    make_queue: MakeQueue, answer: Answer
) -> None:
    """After throttling or a time-out, the file is retried; the others are uploaded once."""
    queue = make_queue(lambda *_: Answer())
    queue.uploads = [answer, answer, Answer()]

    assert upload(queue).exit_code == 0
    assert queue.keys == queue.stored == EVERY_KEY_ONCE


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_refusal_for_good_stops_the_run_which_then_goes_on(
    make_queue: MakeQueue, number: int
) -> None:
    """Without permission, the run stops; resuming it sends nothing twice."""
    queue = make_queue(lambda n, _: Answer(403, "AccessDenied") if n >= number else Answer())
    result = enqueue(queue, "--resume", "state.json", "--concurrency", "2")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(
        "Error: these credentials don't allow SendMessageBatch: "
    )
    assert sum(queue.taken.values()) == number * 10

    queue.script = lambda *_: Answer()
    again = enqueue(queue, "--resume", "state.json")

    assert again.exit_code == 0
    assert queue.keys == EVERY_KEY_ONCE


def test_a_queue_that_fails_all_the_time_ends_the_run(
    make_queue: MakeQueue,
) -> None:
    """The attempts are limited, and the rest stays in the state file."""
    queue = make_queue(lambda *_: Answer(500, "InternalError"))
    assert enqueue(queue, "--resume", "state.json").exit_code == 1
    assert queue.requests <= 4 * 9

    queue.script = lambda *_: Answer()

    assert enqueue(queue, "--resume", "state.json").exit_code == 0
    assert queue.keys == EVERY_KEY_ONCE
