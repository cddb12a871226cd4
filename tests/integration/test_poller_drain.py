"""How the poller ends, and how it keeps what it has: drain, leases, and what is given back."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from tests.conftest import MakeHandler
from tests.fakes import Cloud, Context, nobody
from tests.integration.test_poller import ROOT, children, environment, wait_until
from worker.handler import InvocationContext
from worker.poller.health import Health
from worker.poller.leases import Leases
from worker.poller.loop import Pace, Poller, Record, describe_queue

_CAUGHT = re.compile(r"SigCgt:\s+([0-9a-f]+)")


class Busy:
    """A handler that is busy until it is let go, and says what it was given."""

    def __init__(self) -> None:
        """Be busy with the first batch."""
        self.batches: list[list[Mapping[str, Any]]] = []
        self.release = threading.Event()

    def handle(self, event: Mapping[str, Any], _context: InvocationContext) -> Mapping[str, Any]:
        """Do everything, at long last."""
        self.batches.append(event["Records"])
        assert self.release.wait(30)
        return {"batchItemFailures": []}

    def bodies(self) -> set[str]:
        """Of all messages that it was given."""
        return {record["body"] for batch in self.batches for record in batch}


@contextmanager
def polling(cloud: Cloud, handler: Any, **pace: int) -> Iterator[tuple[Poller, list[bool]]]:  # noqa: ANN401, any handler
    """A poller in a thread; the list gets what `run` returns."""
    client = boto3.client("sqs")
    queue = describe_queue(client, cloud.stack.queue_url)
    leases = Leases(client, queue.url, queue.visibility_seconds)
    poller = Poller(
        client, queue, handler, leases, pace=Pace(wait_seconds=1, **pace), health=Health(60)
    )
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(poller.run()))
    thread.start()
    try:
        yield poller, results
    finally:
        if isinstance(handler, Busy):
            handler.release.set()
        if not results:
            poller.stop()
        thread.join()


def visible(cloud: Cloud) -> int:
    """How many messages anybody could receive now."""
    answer = boto3.client("sqs").get_queue_attributes(
        QueueUrl=cloud.stack.queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def send(cloud: Cloud, count: int) -> None:
    """Send so many messages, each its own number."""
    cloud.send(*(str(number) for number in range(count)))


def test_next_batch_is_at_hand_while_one_is_worked_on(cloud: Cloud) -> None:
    """Of 25 messages ten are with the handler and ten wait for it; five are others' to take."""
    send(cloud, 25)
    busy = Busy()

    with polling(cloud, busy):
        wait_until(lambda: bool(busy.batches) and visible(cloud) == 5)
        at_work = len(busy.bodies())
        busy.release.set()
        wait_until(lambda: cloud.queued() == 0)

    assert at_work == 10
    assert len(busy.bodies()) == 25


def test_batches_are_handed_over_together(cloud: Cloud) -> None:
    """With three batches at a time the handler gets up to 30 messages, and all are deleted."""
    send(cloud, 30)
    busy = Busy()
    busy.release.set()

    with polling(cloud, busy, batches=3):
        wait_until(lambda: cloud.queued() == 0)

    assert max(map(len, busy.batches)) > 10
    assert len(busy.bodies()) == 30


def test_stopping_gives_back_what_has_not_been_begun(cloud: Cloud) -> None:
    """What waited for its turn is visible at once; what was begun is finished and deleted."""
    send(cloud, 25)
    busy = Busy()

    with polling(cloud, busy) as (poller, results):
        wait_until(lambda: bool(busy.batches) and visible(cloud) == 5)
        poller.stop()
        wait_until(lambda: visible(cloud) == 15, seconds=3)
        busy.release.set()

    assert results == [True]
    assert (visible(cloud), cloud.queued()) == (15, 15)


def test_what_does_not_end_in_the_drain_time_is_given_back(cloud: Cloud) -> None:
    """After it `run` returns, and others can receive every message."""
    send(cloud, 3)
    busy = Busy()

    with polling(cloud, busy, drain_seconds=1) as (poller, results):
        wait_until(lambda: busy.bodies() == {"0", "1", "2"})
        poller.stop()
        asked = time.monotonic()
        wait_until(lambda: bool(results), seconds=5)
        seconds = time.monotonic() - asked
        assert visible(cloud) == 3

    assert results == [False]
    assert 0.9 < seconds < 3


def test_second_stop_ends_the_drain(cloud: Cloud) -> None:
    """Whoever asks twice does not want to wait; nothing is lost by it."""
    send(cloud, 3)
    busy = Busy()

    with polling(cloud, busy, drain_seconds=60) as (poller, results):
        wait_until(lambda: len(busy.bodies()) == 3)
        poller.stop()
        poller.stop()
        wait_until(lambda: bool(results), seconds=1)
        wait_until(lambda: visible(cloud) == 3, seconds=3)  # after a poll that was under way

    assert results == [False]


def test_lease_outlasts_the_visibility_timeout(cloud: Cloud) -> None:
    """Twice the queue's visibility timeout, a batch and the one behind it are nobody else's."""
    cloud.allow_receives(5, visibility_seconds=2)
    send(cloud, 12)
    busy = Busy()

    with polling(cloud, busy, batch_seconds=20):
        wait_until(lambda: visible(cloud) == 0)
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            assert visible(cloud) == 0
            time.sleep(0.1)
        busy.release.set()
        wait_until(lambda: cloud.queued() == 0)

    assert sorted(len(batch) for batch in busy.batches) == [2, 10]


class Postponing(Busy):
    """A handler that postpones the first message, and is then busy with the others."""

    def __init__(self, cloud: Cloud) -> None:
        """Postpone in this cloud's queue."""
        super().__init__()
        self._url = cloud.stack.queue_url

    def handle(self, event: Mapping[str, Any], context: InvocationContext) -> Mapping[str, Any]:
        """Postpone, and do the rest."""
        first = event["Records"][0]
        boto3.client("sqs").change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=first["receiptHandle"], VisibilityTimeout=60
        )
        super().handle(event, context)
        return {"batchItemFailures": [{"itemIdentifier": first["messageId"]}]}


def test_lease_leaves_a_postponement_alone(cloud: Cloud) -> None:
    """A message that the handler has postponed keeps its delay, while the others' are renewed."""
    cloud.allow_receives(5, visibility_seconds=1)
    send(cloud, 2)
    handler = Postponing(cloud)

    with polling(cloud, handler, batch_seconds=20):
        wait_until(lambda: len(handler.bodies()) == 2)
        time.sleep(2)  # several renewals
        handler.release.set()
        wait_until(lambda: cloud.queued() == 1)

    time.sleep(1.5)  # longer than a renewal would have lasted
    assert (visible(cloud), cloud.queued()) == (0, 1)


def test_drain_gives_back_no_postponed_message(cloud: Cloud) -> None:
    """Its delay holds; the other one is visible at once."""
    send(cloud, 2)
    handler = Postponing(cloud)

    with polling(cloud, handler, drain_seconds=0) as (poller, results):
        wait_until(lambda: len(handler.bodies()) == 2)
        poller.stop()
        wait_until(lambda: bool(results))
        wait_until(lambda: visible(cloud) == 1, seconds=3)  # after a poll that was under way
        assert cloud.queued() == 2


def test_worker_takes_the_receipts_of_what_it_postpones_only(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """The real handler: the lease of a finished message holds until it is deleted."""
    cloud.put("nobody.png", nobody())
    cloud.send({"key": "nobody.png"}, {"key": "missing.png"})
    client = boto3.client("sqs")
    queue = describe_queue(client, cloud.stack.queue_url)
    messages = client.receive_message(
        QueueUrl=queue.url, MaxNumberOfMessages=10, AttributeNames=["All"]
    )["Messages"]
    taken: list[str] = []
    records = [Record(message, queue.arn, taken.append) for message in messages]

    make_handler(QUEUE_URL=queue.url).handle({"Records": records}, Context())

    (missing,) = (m["ReceiptHandle"] for m in messages if "missing" in m["Body"])
    assert set(taken) == {missing}


def test_lease_that_cannot_be_renewed_ends_nothing(cloud: Cloud) -> None:
    """While SQS refuses renewals the batch goes on, and what succeeded is deleted."""
    cloud.allow_receives(5, visibility_seconds=2)
    send(cloud, 1)
    busy, client = Busy(), boto3.client("sqs")
    queue = describe_queue(client, cloud.stack.queue_url)
    elsewhere = Leases(client, f"{queue.url}-gone", queue.visibility_seconds)
    poller = Poller(client, queue, busy, elsewhere, pace=Pace(wait_seconds=1), health=Health(60))
    timers = [threading.Timer(1.5, busy.release.set), threading.Timer(1.7, poller.stop)]
    for timer in timers:
        timer.start()

    assert poller.run()

    assert cloud.queued() == 0


def catches_sigterm(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM by now."""
    caught = _CAUGHT.search(Path(f"/proc/{pid}/status").read_text())
    return bool(caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_sigterm_during_the_start_ends_it_well(cloud: Cloud) -> None:
    """Whoever changes their mind waits for no detector: status 0, no word, no process left."""
    with subprocess.Popen(
        [sys.executable, "-m", "worker.poller"],
        env=environment(cloud),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_until(lambda: catches_sigterm(process.pid))
            wait_until(lambda: bool(children(process.pid)))
            detectors = children(process.pid)
            process.send_signal(signal.SIGTERM)
            output, errors = process.communicate(timeout=3)
        finally:
            process.kill()

    assert (process.returncode, output, errors) == (0, "", "")
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in detectors), seconds=5)
