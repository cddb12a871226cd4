"""The parts of `make chaos`, one by one: what it says it does it does, and it can fail."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from landmarks.errors import DetectorError, MessageError
from landmarks.local.services import one_at_a_time
from tests.chaos import envelopes, files, processes
from tests.chaos.ambush import Ambush
from tests.chaos.check import DeadLetter, Evidence, ItemPromise, Verdict, judge
from tests.chaos.faults import RATES, Fault, FaultDice, FaultKind, Request, Service
from tests.chaos.malformed import MALFORMED
from tests.chaos.plan import ActKind, Envelope, Plan, Send, Upload
from tests.chaos.processes import kill_marked, marked
from tests.chaos.proxy import FaultProxy
from tests.chaos.report import figures
from tests.chaos.run import Run
from tests.chaos.stories import make_plan
from tests.fakes import start_detectors
from worker.detector.header import read_header
from worker.detector.pool import DetectorPool
from worker.jobs import decode_message
from worker.model import ModelOptions
from worker.settings import Settings

# The plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    """A plan that has some of everything."""
    return make_plan(seed=7, size=400)


def test_a_plan_is_the_same_for_the_same_seed(plan: Plan) -> None:
    """A failing run can be repeated; another seed is another run."""
    assert make_plan(7, 400) == plan
    assert make_plan(8, 400) != plan


def test_a_plan_has_the_size_that_is_asked_for_and_every_kind_of_story(plan: Plan) -> None:
    """Two thousand messages are two thousand, whatever stories they make."""
    assert 400 <= plan.sends < 410
    assert {message.story for message in plan.messages} == {
        message.story for message in make_plan(1, 60).messages
    }
    assert {message.envelope for message in plan.messages} == set(Envelope)


def test_no_two_contents_of_a_plan_are_equal(plan: Plan) -> None:
    """So the ETag in an item tells which content it is of; only the empty file has no note."""
    contents = {content for object_ in plan.objects for content in object_.contents}
    full = [files.etag(content) for content in contents if files.build(content)]
    assert len(set(full)) == len(full) > 100


def test_uploads_come_in_order_and_before_what_is_said_of_them(plan: Plan) -> None:
    """Except in the one story in which the message is there first."""
    uploaded = Counter[int]()
    for step in plan.steps:
        if isinstance(step, Upload):
            assert step.upload == uploaded[step.place]
            uploaded[step.place] += 1
        elif isinstance(step, Send):
            for ref in plan.messages[step.message].refs:
                late = plan.objects[ref.place].story == "late-object"
                assert late or ref.upload is None or ref.upload < uploaded[ref.place]


def test_every_planned_body_is_read_as_it_is_meant(plan: Plan) -> None:
    """By the worker's own decoder: those that have to be refused are, and no others."""
    for message in plan.messages:
        text = envelopes.body(plan, message, {})
        if message.envelope is Envelope.LITERAL:
            with pytest.raises(MessageError):
                decode_message(text, default_bucket="chaos-plain")
            continue
        jobs = decode_message(text, default_bucket="chaos-plain")
        objects = [] if message.story == "idle" else [plan.objects[at.place] for at in message.refs]
        meant = [(object_.bucket, object_.key) for object_ in objects]
        assert [(job.bucket, job.key) for job in jobs] == meant


def test_marks_stand_where_decoders_look() -> None:
    """What follows the end of an image is cut off before it is decoded."""
    for name, recipe in files.RECIPES.items():
        if recipe.action:
            content = files.build(files.Content(name, 1))
            assert files.MARK in content[: read_header(content, max_pixels=10**6).length_bytes]


def test_no_two_malformed_messages_are_equal() -> None:
    """A dead letter is known by its body."""
    bodies = {make(number) for make in MALFORMED.values() for number in (1, 2)}
    assert len(bodies) == 2 * len(MALFORMED)


# The faults


def test_faults_depend_on_the_request_and_not_on_the_order() -> None:
    """Threads come as they like; the plan stays the plan."""
    requests = [Request(Service.S3, "GET", f"/bucket/{number}") for number in range(300)] * 2

    def deal(order: list[Request]) -> Counter[tuple[Request, Fault | None]]:
        faults = FaultDice(5, RATES)
        return Counter((request, faults(request)) for request in order)

    dealt = deal(requests)
    assert deal(requests[::-1]) == dealt
    met = {fault.kind for _, fault in dealt if fault}
    assert len(met) > 7
    share = sum(count for (_, fault), count in dealt.items() if fault) / len(requests)
    assert share == pytest.approx(sum(rate for rate, _, _ in RATES.values()) / 1000, abs=0.06)


class _Upstream(BaseHTTPRequestHandler):
    """A service that answers everything with ten thousand bytes."""

    protocol_version = "HTTP/1.1"
    body = bytes(range(250)) * 40
    seen = 0

    def do_GET(self) -> None:
        """Answer, and close the connection as moto does."""
        type(self).seen += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(self.body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Faulty:
    """A proxy in front of `_Upstream` that deals out one fault."""

    def __init__(self, upstream_port: int) -> None:
        self.fault: Fault | None = None
        self.proxy = FaultProxy(upstream_port, lambda _: self.fault)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.proxy.ports[Service.S3], timeout=5)

    def get(self) -> tuple[int, bytes]:
        connection = self.connect()
        try:
            connection.request("GET", "/bucket/key")
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture
def faulty() -> Iterator[_Faulty]:
    """A proxy, running."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    _Upstream.seen = 0
    stand = _Faulty(server.server_port)
    stand.proxy.start()
    try:
        yield stand
    finally:
        stand.proxy.close()
        server.shutdown()
        thread.join()
        server.server_close()


def test_without_a_fault_the_proxy_is_not_noticed(faulty: _Faulty) -> None:
    """Two requests on one connection, both answered whole."""
    connection = faulty.connect()
    for _ in range(2):
        connection.request("GET", "/bucket/key")
        assert connection.getresponse().read() == _Upstream.body
    connection.close()
    assert faulty.proxy.requests == {Service.S3: 2}
    assert not faulty.proxy.faults


@pytest.mark.parametrize(
    ("kind", "status", "word", "arrived"),
    [
        (FaultKind.ERROR_500, 500, b"InternalError", 0),
        (FaultKind.ERROR_503, 503, b"ServiceUnavailable", 0),
        (FaultKind.THROTTLED, 503, b"SlowDown", 0),
        (FaultKind.BAD_GATEWAY, 502, b"<html>", 0),
        (FaultKind.LOST_ANSWER, 500, b"InternalError", 1),
    ],
)
def test_errors_are_answered(
    faulty: _Faulty, kind: FaultKind, status: int, word: bytes, arrived: int
) -> None:
    """In the service's own words; one kind only after the service has done what was asked."""
    faulty.fault = Fault(kind)
    answered, body = faulty.get()
    assert (answered, _Upstream.seen) == (status, arrived)
    assert word in body
    assert faulty.proxy.faults == {(Service.S3, kind): 1}


@pytest.mark.parametrize("kind", [FaultKind.SLOW, FaultKind.HANGING, FaultKind.DRIPPING])
def test_slow_answers_take_their_time_and_come_whole(faulty: _Faulty, kind: FaultKind) -> None:
    """The client decides when it has had enough."""
    faulty.fault = Fault(kind, seconds=0.3)
    start = time.monotonic()
    assert faulty.get() == (200, _Upstream.body)
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.CLOSED, ConnectionError),
        (FaultKind.RESET, ConnectionResetError),
        (FaultKind.TRUNCATED, http.client.IncompleteRead),
    ],
)
def test_connections_break(faulty: _Faulty, kind: FaultKind, error: type[Exception]) -> None:
    """Before the answer, or in the middle of its body: by a reset, or by an end."""
    faulty.fault = Fault(kind)
    with pytest.raises(error):
        faulty.get()


def test_a_service_is_gone_for_a_while(faulty: _Faulty) -> None:
    """Connections that are open break, new ones are refused; then it is there again."""
    connection = faulty.connect()
    connection.request("GET", "/bucket/key")
    connection.getresponse().read()
    faulty.proxy.refuse(Service.S3)
    with pytest.raises(ConnectionResetError):
        connection.sock.recv(1)
    with pytest.raises(ConnectionRefusedError):
        faulty.get()
    connection.close()
    faulty.proxy.accept(Service.S3)
    assert faulty.get() == (200, _Upstream.body)


def test_in_calm_nothing_happens_any_more(faulty: _Faulty) -> None:
    """The queue has to run empty some time."""
    faulty.fault = Fault(FaultKind.CLOSED)
    faulty.proxy.refuse(Service.S3)
    faulty.proxy.calm()
    assert faulty.get() == (200, _Upstream.body)


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        (Service.S3, lambda s3: s3.get_object(Bucket="b", Key="k"), "SlowDown"),
        (
            Service.DYNAMODB,
            lambda table: table.get_item(TableName="t", Key={"object_key": {"S": "k"}}),
            "ProvisionedThroughputExceededException",
        ),
        (Service.SQS, lambda sqs: sqs.receive_message(QueueUrl="http://q/1/q"), "RequestThrottled"),
    ],
)
def test_clients_know_the_errors_for_what_they_are(
    faulty: _Faulty, service: Service, call: Callable[[Any], object], code: str
) -> None:
    """As they would know AWS's own."""
    faulty.fault = Fault(FaultKind.THROTTLED)
    client: Any = boto3.client(
        service.value,
        endpoint_url=faulty.proxy.endpoint(service),
        region_name="us-east-1",
        aws_access_key_id="chaos",
        aws_secret_access_key="chaos",  # noqa: S106, nobody's
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ClientError) as caught:
        call(client)
    client.close()
    assert caught.value.response["Error"]["Code"] == code


def test_the_services_are_never_entered_by_two_threads() -> None:
    """Moto would lose messages; a long poll waits outside, and others pass it."""
    inside = Counter[str]()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        assert not inside["now"]
        inside["now"] += 1
        time.sleep(0.01)
        inside["now"] -= 1
        start_response("200 OK", [])
        return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]

    serve = one_at_a_time(application)

    def ask(target: str, **fields: object) -> float:
        body = json.dumps(fields).encode()
        environ = {"CONTENT_LENGTH": str(len(body)), "HTTP_X_AMZ_TARGET": target}
        start = time.monotonic()
        list(serve({**environ, "wsgi.input": _Input(body)}, lambda *_: None))
        return time.monotonic() - start

    wait = {"WaitTimeSeconds": 1}
    poll = threading.Thread(target=ask, args=("AmazonSQS.ReceiveMessage",), kwargs=wait)
    poll.start()
    others = [threading.Thread(target=ask, args=("AmazonSQS.SendMessage",)) for _ in range(8)]
    start = time.monotonic()
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert time.monotonic() - start < 0.9
    poll.join()
    assert time.monotonic() - start > 0.9


class _Input:
    """A request's body."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, size: int) -> bytes:
        return self._content[:size]


# The verdict

_POSE = b"\0\0\0\x3f" * 4 * 33  # all points at (0.5, 0.5), seen
_GOOD = ItemPromise(
    story="plain",
    key="a.jpg",
    bucket="b",
    identity=("etag-2", "version-2"),
    older=frozenset({("etag-1", "version-1")}),
    size_bytes=10,
    width=30,
    height=20,
    groups={"pose_landmarks": _POSE, "pose_world_landmarks": _POSE},
)
_FAILED = replace(_GOOD, key="f.jpg", codes=frozenset({"CORRUPT_IMAGE"}), groups={})
_NOBODY = replace(_GOOD, key="n.jpg", groups={})
_DEATHS = {"malformed": frozenset({"INVALID_MESSAGE"})}


def _number(value: object) -> dict[str, str]:
    return {"N": str(value)}


def _item(promise: ItemPromise, **changes: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """The item that keeps a promise, but for some attributes; None takes one away."""
    etag, version = promise.identity
    sizes = {"width": promise.width, "height": promise.height, "bytes": promise.size_bytes}
    box = {"x": 0.5, "y": 0.5, "width": 0, "height": 0}
    item: dict[str, dict[str, Any] | None] = {
        "object_key": {"S": promise.key},
        "bucket": {"S": promise.bucket},
        "etag": {"S": etag},
        "version_id": {"S": version},
        "status": {"S": "detected" if promise.groups else "not_detected"},
        "image": {"M": {name: _number(size) for name, size in sizes.items()}},
        "schema_version": _number(1),
        "attempts": _number(3),
        **{name: {"B": content} for name, content in promise.groups.items()},
    }
    if promise.codes:
        item |= {"status": {"S": "failed"}, "error_code": {"S": next(iter(promise.codes))}}
    if promise.groups:
        item |= {
            "pose_score": _number(0.9),
            "bounding_box": {"M": {name: _number(value) for name, value in box.items()}},
        }
    return {name: value for name, value in (item | changes).items() if value is not None}


def _verdict(
    *items: dict[str, dict[str, Any]], in_queue: int = 0, dead: tuple[tuple[str, str], ...] = ()
) -> Verdict:
    letters = [DeadLetter(body, {"error_code": code}) for body, code in dead]
    promises = (_GOOD, _FAILED, _NOBODY)
    return judge(promises, _DEATHS, Evidence(items, in_queue, letters))


_ITEMS = (_item(_GOOD), _item(_FAILED), _item(_NOBODY))
_DEAD = (("malformed", "INVALID_MESSAGE"),)


def test_a_world_as_promised_is_found_to_be_well() -> None:
    """Nothing to complain of, and the figures are there."""
    verdict = _verdict(*_ITEMS, dead=_DEAD)
    assert (verdict.lost, verdict.wrong, verdict.stale, verdict.innocent) == ([], [], [], [])
    assert (verdict.mislabelled, verdict.extra_copies, verdict.unlabelled) == ([], 0, 0)
    assert verdict.statuses == {"detected": 1, "failed": 1, "not_detected": 1}
    assert verdict.most_attempts == 3


def test_what_is_lost_is_found() -> None:
    """An item, a dead letter, or a message that is still in the queue."""
    assert _verdict(*_ITEMS[1:], dead=_DEAD).lost == ["b/a.jpg: no item"]
    assert _verdict(*_ITEMS).lost == ["no dead letter: malformed"]
    assert _verdict(*_ITEMS, dead=_DEAD, in_queue=2).lost == ["2 messages still in the queue"]


@pytest.mark.parametrize(
    "changes",
    [
        {"pose_landmarks": {"B": _POSE[:-1] + b"\x40"}},
        {"pose_landmarks": None},
        {"face_landmarks": {"B": bytes(12)}},
        {"etag": {"S": "of another object"}},
        {"status": {"S": "not_detected"}},
        {"status": {"S": "failed"}, "error_code": {"S": "DETECTOR_CRASHED"}},
        {"image": {"M": {"width": _number(20), "height": _number(30), "bytes": _number(10)}}},
        {"bounding_box": None},
        {"bounding_box": {"M": {"x": _number(0.4), "y": _number(0.5)}}},
        {"pose_score": None},
        {"schema_version": None},
    ],
)
def test_what_is_wrong_is_found(changes: dict[str, dict[str, Any] | None]) -> None:
    """One bit of one landmark is enough."""
    verdict = _verdict(_item(_GOOD, **changes), *_ITEMS[1:], dead=_DEAD)
    assert verdict.wrong
    assert not verdict.stale


@pytest.mark.parametrize(
    ("promise", "changes"),
    [
        (_FAILED, {"error_code": {"S": "NOT_AN_IMAGE"}}),
        (_FAILED, {"status": {"S": "not_detected"}, "error_code": None}),
        (_FAILED, {"pose_landmarks": {"B": _POSE}}),
        (_NOBODY, {"status": {"S": "detected"}}),
        (_NOBODY, {"pose_landmarks": {"B": _POSE}}),
    ],
)
def test_wrong_answers_about_other_files_are_found(
    promise: ItemPromise, changes: dict[str, dict[str, Any] | None]
) -> None:
    """A failure has to be the right one, and nobody is nobody."""
    others = [item for item in _ITEMS if item["object_key"]["S"] != promise.key]
    assert _verdict(_item(promise, **changes), *others, dead=_DEAD).wrong


def test_an_item_that_nobody_asked_for_is_wrong() -> None:
    """As for a message that had to be refused whole."""
    extra = _item(replace(_GOOD, key="uninvited.jpg"))
    verdict = _verdict(*_ITEMS, extra, dead=_DEAD)
    assert verdict.wrong == ["b/uninvited.jpg: nobody asked for this item"]


def test_what_is_stale_is_found() -> None:
    """An older version in the place of the newer one, even if its landmarks are the same."""
    old = _item(_GOOD, etag={"S": "etag-1"}, version_id={"S": "version-1"})
    verdict = _verdict(old, *_ITEMS[1:], dead=_DEAD)
    assert len(verdict.stale) == 1
    assert not verdict.wrong


def test_innocent_and_mislabelled_dead_letters_are_found() -> None:
    """And copies are counted, for SQS delivers at least once."""
    verdict = _verdict(*_ITEMS, dead=(*_DEAD, *_DEAD, ("a good one", "SERVICE_UNAVAILABLE")))
    assert verdict.innocent == ["a good one"]
    assert verdict.extra_copies == 1
    assert _verdict(*_ITEMS, dead=(("malformed", "ERROR"),)).mislabelled == ["ERROR: malformed"]


def test_the_verdict_shares_no_code_with_the_worker() -> None:
    """A mistake of the worker's can't hide itself."""
    program = "import sys, tests.chaos.check, tests.chaos.promises, tests.chaos.world\n"
    program += "sys.exit(any(name.partition('.')[0] == 'worker' for name in sys.modules))"
    subprocess.run([sys.executable, "-c", program], check=True)


# Processes


def test_what_carries_the_mark_is_found_and_killed() -> None:
    """And nothing else: not even a process that has the mark among its arguments."""
    mark = f"chaos-test-{os.getpid()}"
    sleep = ["-c", "import time; time.sleep(60)"]
    ours = [
        subprocess.Popen([sys.executable, "-X", mark, *sleep]),
        subprocess.Popen([sys.executable, *sleep], env={"PYTHONPATH": f"/nowhere/{mark}/ambush"}),
    ]
    other = subprocess.Popen([sys.executable, *sleep, mark])
    try:
        _wait_until(lambda: set(marked(mark)) == {process.pid for process in ours})
        kill_marked(mark)
        assert [process.wait(10) for process in ours] == [-9, -9]
        assert not list(marked(mark))
        assert not processes.exists(ours[0].pid)
        assert processes.exists(other.pid)
    finally:
        for process in (*ours, other):
            process.kill()
            process.wait()


def test_what_a_process_holds_is_measured() -> None:
    """Memory, descriptors, threads."""
    usage = processes.usage(os.getpid())
    assert usage
    assert usage.rss_kib > 10_000
    assert usage.descriptors > 3
    assert usage.threads >= 1
    assert processes.usage(2**22 + 1) is None


# Images that provoke the detector


@pytest.fixture
def ambushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[DetectorPool, Ambush]]:
    """A detector that obeys marked images."""
    ambush = Ambush(tmp_path / "ambush")
    monkeypatch.setenv("PYTHONPATH", str(ambush.folder))
    model = ModelOptions(model_complexity=1)
    pool = start_detectors(Settings("unused", model=model, detectors=1, detect_timeout_seconds=2))
    yield pool, ambush
    pool.close()
    ambush.close()


def test_marked_images_provoke_the_detector(ambushed: tuple[DetectorPool, Ambush]) -> None:
    """Always, or in the first try only, or not at all where the harness has just done harm."""
    pool, ambush = ambushed

    def detect(recipe: str, number: int) -> bool:
        content = files.build(files.Content(recipe, number))
        return pool.detect(content, time.monotonic() + 60).landmarks.person_found

    assert detect("person-2", 1)
    assert pool.restarts == 0
    assert detect("flaky-exit", 2)
    assert (pool.restarts, ambush.misbehaved()) == (1, 1)
    ambush.note_harm()
    assert detect("flaky-exit", 3)
    assert pool.restarts == 1
    with pytest.raises(DetectorError) as caught:
        detect("provoke-babble", 4)
    assert caught.value.code in files.RECIPES["provoke-babble"].codes
    assert pool.restarts == 3
    assert ambush.quiet_seconds() < 30


# All of it


def test_a_small_run_goes_well() -> None:
    """Every kind of story and of fault, a poller and a detector killed; the verdict is good."""
    kinds = (ActKind.KILL, ActKind.CHILD_KILL)
    plan = make_plan(seed=3, size=40)
    small = replace(plan, acts=tuple(act for act in plan.acts if act.kind in kinds))
    run = Run(small, complexity=1, say=lambda _: None, max_receive_count=10)
    outcome = run.execute()
    assert [figure for figure in figures(outcome) if not figure.good] == []
    assert outcome.verdict.statuses.keys() == {"detected", "not_detected", "failed"}
    assert outcome.done[ActKind.KILL] == 1
    assert outcome.faults
    run.tidy()


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
