"""How the poller stops, and keeps messages invisible while it works on them."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import pytest

from tests.conftest import MakeHandler
from tests.fakes import Cloud, Context, nobody
from tests.integration.test_poller import make_poller, wait_until
from worker.batch import AllStarted, BeforeRetry
from worker.handler import InvocationContext
from worker.poller.heartbeat import Heartbeat
from worker.poller.loop import Poller, describe_queue, record_of


class Busy:
    """A handler that keeps its batches until it is released."""

    detectors_failing = False

    def __init__(self, *, starts_all: bool = False) -> None:
        """Busy from the first batch on, with all of its jobs or only with some."""
        self.starts_all = starts_all
        self.batches: list[list[Mapping[str, Any]]] = []
        self.release = threading.Event()

    def handle(
        self,
        event: Mapping[str, Any],
        context: InvocationContext,
        *,
        before_retry: BeforeRetry | None = None,
        all_started: AllStarted | None = None,
    ) -> Mapping[str, Any]:
        """Report no failure, at long last."""
        del context, before_retry
        self.batches.append(event["Records"])
        if self.starts_all and all_started:
            all_started()
        assert self.release.wait(120)
        return {"batchItemFailures": []}

    def bodies(self) -> list[str]:
        """Of all messages that it was given."""
        return [record["body"] for batch in self.batches for record in batch]


@contextmanager
def polling(cloud: Cloud, handler: Busy, **options: int) -> Iterator[tuple[Poller, list[bool]]]:
    """A poller in a thread; the list gets what `run` returns."""
    poller = make_poller(cloud, handler, **options)
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(poller.run()))
    thread.start()
    try:
        yield poller, results
    finally:
        handler.release.set()
        if not results:
            poller.stop()
        thread.join()


def visible(cloud: Cloud) -> int:
    """How many messages any consumer could receive now."""
    answer = boto3.client("sqs").get_queue_attributes(
        QueueUrl=cloud.stack.queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def send(cloud: Cloud, count: int) -> None:
    """Send messages, each its own number."""
    cloud.send(*(str(number) for number in range(count)))


def test_next_batch_is_received_while_one_is_worked_on(cloud: Cloud) -> None:
    """Of 25 messages ten are being handled and ten wait; five are for other consumers."""
    send(cloud, 25)
    busy = Busy()

    with polling(cloud, busy):
        wait_until(lambda: bool(busy.batches) and visible(cloud) == 5)
        at_work = len(busy.bodies())
        busy.release.set()
        wait_until(lambda: cloud.queued() == 0)

    assert at_work == 10
    assert len(busy.bodies()) == 25


def test_next_batch_begins_when_all_of_one_has_started(cloud: Cloud) -> None:
    """Detectors need not wait for its last image; more than two batches are never received."""
    send(cloud, 25)
    busy = Busy(starts_all=True)

    with polling(cloud, busy):
        wait_until(lambda: len(busy.bodies()) == 20)
        wait_until(lambda: visible(cloud) == 5)
        busy.release.set()
        wait_until(lambda: cloud.queued() == 0)

    assert len(busy.bodies()) == 25


def test_both_batches_at_work_are_drained(cloud: Cloud) -> None:
    """What had begun is finished and deleted, and nothing else is received."""
    send(cloud, 25)
    busy = Busy(starts_all=True)

    with polling(cloud, busy) as (poller, results):
        wait_until(lambda: len(busy.bodies()) == 20)
        poller.stop()
        busy.release.set()
        wait_until(lambda: bool(results))

    assert results == [True]
    assert (visible(cloud), cloud.queued()) == (5, 5)


def test_both_batches_at_work_go_back_to_the_queue(cloud: Cloud) -> None:
    """If the drain ends before they do."""
    send(cloud, 25)
    busy = Busy(starts_all=True)

    with polling(cloud, busy, drain_seconds=0) as (poller, results):
        wait_until(lambda: len(busy.bodies()) == 20)
        poller.stop()
        wait_until(lambda: bool(results))
        wait_until(lambda: visible(cloud) == 25)

    assert results == [False]


def test_batches_are_handed_over_together(cloud: Cloud) -> None:
    """With three batches at a time the handler gets up to 30 messages, and all are deleted."""
    send(cloud, 30)
    busy = Busy()
    busy.release.set()

    with polling(cloud, busy, batches=3):
        wait_until(lambda: cloud.queued() == 0)

    assert max(map(len, busy.batches)) > 10
    assert len(busy.bodies()) == 30


def test_stopping_releases_waiting_messages(cloud: Cloud) -> None:
    """What waited for its turn is visible at once; what had begun is finished and deleted."""
    send(cloud, 25)
    busy = Busy()

    with polling(cloud, busy) as (poller, results):
        wait_until(lambda: bool(busy.batches) and visible(cloud) == 5)
        poller.stop()
        wait_until(lambda: visible(cloud) == 15)
        busy.release.set()
        wait_until(lambda: bool(results))

    assert results == [True]
    assert (visible(cloud), cloud.queued()) == (15, 15)


@pytest.mark.parametrize(("drain_seconds", "stops"), [(1, 1), (600, 2)], ids=["time", "second"])
def test_unfinished_messages_go_back_to_the_queue(
    drain_seconds: int, stops: int, cloud: Cloud
) -> None:
    """After the drain time, or a second stop, others can receive every message."""
    send(cloud, 3)
    busy = Busy()

    with polling(cloud, busy, drain_seconds=drain_seconds) as (poller, results):
        wait_until(lambda: len(busy.bodies()) == 3)
        for _ in range(stops):
            poller.stop()
        wait_until(lambda: bool(results))
        wait_until(lambda: visible(cloud) == 3)  # after a poll that was under way

    assert results == [False]


def test_messages_outlast_the_visibility_timeout(cloud: Cloud) -> None:
    """A batch, and the one that waits behind it, stay invisible for longer than the timeout."""
    cloud.allow_receives(5, visibility_seconds=3)
    send(cloud, 12)
    busy = Busy()

    with polling(cloud, busy, batch_seconds=100):
        wait_until(lambda: visible(cloud) == 0)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert visible(cloud) == 0
            time.sleep(0.1)
        busy.release.set()
        wait_until(lambda: cloud.queued() == 0)

    assert sorted(map(len, busy.batches)) == [2, 10]


class Retrying(Busy):
    """A handler that delays the retry of the first message, and keeps the others."""

    def __init__(self, cloud: Cloud) -> None:
        """Delay it in this cloud's queue."""
        super().__init__()
        self._url = cloud.stack.queue_url

    def handle(
        self,
        event: Mapping[str, Any],
        context: InvocationContext,
        *,
        before_retry: BeforeRetry | None = None,
        all_started: AllStarted | None = None,
    ) -> Mapping[str, Any]:
        """Delay one, and report it as failed."""
        first = event["Records"][0]
        assert before_retry
        before_retry([first["receiptHandle"]])
        boto3.client("sqs").change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=first["receiptHandle"], VisibilityTimeout=600
        )
        super().handle(event, context, all_started=all_started)
        return {"batchItemFailures": [{"itemIdentifier": first["messageId"]}]}


def test_delay_of_a_retry_is_left_alone(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler has set it; only the other messages' visibility is extended."""
    monkeypatch.setattr("worker.poller.heartbeat._RENEW_AFTER", 0.01)
    monkeypatch.setattr("worker.poller.heartbeat._CHECK_EVERY", 0.01)
    extended: list[list[str]] = []
    really_set = Heartbeat._set_visibility

    def note(self: Heartbeat, handles: list[str], seconds: int) -> Any:  # noqa: ANN401, as it is
        extended.append(handles)
        return really_set(self, handles, seconds)

    monkeypatch.setattr(Heartbeat, "_set_visibility", note)
    send(cloud, 2)
    handler = Retrying(cloud)

    with polling(cloud, handler):
        wait_until(lambda: bool(handler.batches) and len(handler.batches[0]) == 2)
        extended.clear()
        wait_until(lambda: len(extended) >= 3)
        handler.release.set()
        wait_until(lambda: cloud.queued() == 1)

    first, second = (record["receiptHandle"] for record in handler.batches[0])
    assert {handle for handles in extended for handle in handles} == {second}
    assert first != second
    assert visible(cloud) == 0


def test_drain_keeps_the_delay_of_a_retry(cloud: Cloud) -> None:
    """Its message stays invisible; the other one is visible at once."""
    send(cloud, 2)
    handler = Retrying(cloud)

    with polling(cloud, handler, drain_seconds=0) as (poller, results):
        wait_until(lambda: len(handler.bodies()) == 2)
        poller.stop()
        wait_until(lambda: bool(results))
        wait_until(lambda: visible(cloud) == 1)  # after a poll that was under way
        assert cloud.queued() == 2


def test_worker_names_only_the_messages_that_it_retries(
    cloud: Cloud, make_handler: MakeHandler
) -> None:
    """The real handler: a finished message stays invisible until it is deleted."""
    cloud.put("nobody.png", nobody())
    cloud.send({"key": "nobody.png"}, {"key": "missing.png"})
    client = boto3.client("sqs")
    queue = describe_queue(client, cloud.stack.queue_url)
    messages = client.receive_message(
        QueueUrl=queue.url, MaxNumberOfMessages=10, AttributeNames=["All"]
    )["Messages"]
    retried: list[str] = []

    make_handler(QUEUE_URL=queue.url).handle(
        {"Records": [record_of(message, queue.arn) for message in messages]},
        Context(),
        before_retry=retried.extend,
    )

    assert retried == [m["ReceiptHandle"] for m in messages if "missing" in m["Body"]]


def test_batch_survives_a_failing_heartbeat(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """While SQS refuses to extend visibility the batch goes on, and is deleted."""
    cloud.allow_receives(5, visibility_seconds=2)
    send(cloud, 1)
    busy = Busy()

    with polling(cloud, busy) as (poller, _):
        poller._heartbeat._queue_url += "-gone"
        wait_until(lambda: "visibility not changed" in caplog.text)
        busy.release.set()
        wait_until(lambda: cloud.queued() == 0)
