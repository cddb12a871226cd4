"""The embedded services answer one request at a time."""

import json
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

from landmarks.local.services import one_at_a_time


def test_no_two_requests_are_answered_at_once_and_a_long_poll_holds_none_up() -> None:
    """With two requests at once, moto would lose messages."""
    inside, polling, sent = threading.Lock(), threading.Event(), threading.Event()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        assert inside.acquire(blocking=False), "two requests at once"
        threading.Event().wait(0.01)
        inside.release()
        start_response("200 OK", [])
        if environ["HTTP_X_AMZ_TARGET"] != "AmazonSQS.ReceiveMessage":
            return [b"{}"]
        polling.set()
        return [b'{"Messages": [1]}' if sent.is_set() else b"{}"]

    serve, answers = one_at_a_time(application), list[bytes]()

    def ask(action: str, **fields: int) -> None:
        body = json.dumps(fields).encode()
        environ = {"CONTENT_LENGTH": len(body), "HTTP_X_AMZ_TARGET": f"AmazonSQS.{action}"}
        answers.extend(serve({**environ, "wsgi.input": BytesIO(body)}, lambda *_: None))

    poll = threading.Thread(
        target=ask, args=("ReceiveMessage",), kwargs={"WaitTimeSeconds": 600}, daemon=True
    )
    poll.start()
    assert polling.wait(60)
    senders = [threading.Thread(target=ask, args=("SendMessage",)) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    sent.set()
    poll.join()

    assert answers == [b"{}"] * 8 + [b'{"Messages": [1]}']
