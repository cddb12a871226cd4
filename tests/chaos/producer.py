"""Uploads and sends what the plan says, no faster than the worker processes it."""

import threading
import time
from typing import TYPE_CHECKING, Final

from tests.chaos import envelopes, files
from tests.chaos.plan import Bucket, Plan, Remove, Step, Upload
from tests.chaos.world import World

if TYPE_CHECKING:
    from tests.chaos.envelopes import Uploaded

# S3's last-modified has a resolution of one second.
_APART_SECONDS: Final = 1.1

# Enough to keep all workers busy, and for messages about one object to overlap.
_MOST_WAITING: Final = 60
_LOOK_EACH: Final = 10
_LOOK_SECONDS: Final = 0.2


class Producer:
    """Runs in its own thread, from `start` to `close`."""

    def __init__(self, plan: Plan, world: World) -> None:
        self._plan = plan
        self._world = world
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)
        self._uploaded_at: dict[int, float] = {}
        self.uploads: dict[tuple[int, int], Uploaded] = {}
        self.bodies: dict[int, str] = {}
        self.sent = 0
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        """Whether it has finished."""
        return not self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop, finished or not."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            for step in self._plan.steps:
                if self._closing.is_set():
                    return
                self._take(step)
        except Exception as error:  # noqa: BLE001, raised by the run
            self.error = error

    def _take(self, step: Step) -> None:
        if isinstance(step, Upload):
            self._upload(step)
        elif isinstance(step, Remove):
            object_ = self._plan.objects[step.place]
            self._world.remove(object_.bucket, object_.key)
        else:
            if self.sent % _LOOK_EACH == 0:
                self._wait_for_worker()
            self._world.send(self._body(step.message), step.delay_seconds)
            self.sent += 1

    def _upload(self, step: Upload) -> None:
        last = self._uploaded_at.get(step.place)
        if last is not None and step.apart:
            self._closing.wait(max(0, last + _APART_SECONDS - time.monotonic()))
        object_ = self._plan.objects[step.place]
        content = object_.contents[step.upload]
        storage_class = files.RECIPES[content.recipe].storage_class
        file = files.build(content)
        uploaded = self._world.upload(object_.bucket, object_.key, file, storage_class)
        self.uploads[step.place, step.upload] = uploaded
        self._uploaded_at[step.place] = time.monotonic()

    def _body(self, message: int) -> str:
        """The body of a message, the same for all copies."""
        if message not in self.bodies:
            planned = self._plan.messages[message]
            self.bodies[message] = envelopes.body(
                self._plan, planned, self.uploads, self._store_payload
            )
        return self.bodies[message]

    def _store_payload(self, payload: str) -> str:
        key = f"payloads/{len(self.bodies):06}"
        self._world.upload(Bucket.PLAIN, key, payload.encode())
        return key

    def _wait_for_worker(self) -> None:
        while self._world.in_queue()[0] > _MOST_WAITING and not self._closing.is_set():
            self._closing.wait(_LOOK_SECONDS)
