"""Batches, several in flight, settled in the order in which they were read.

What is settled never runs ahead of what is not: at most `window` batches are under way, and
after each the state is saved. That is what makes an interruption harmless.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from worker.operations.enqueue.batches import Batch
from worker.operations.enqueue.entries import Refusal
from worker.operations.enqueue.interruption import InterruptedReadingError, Interruption
from worker.operations.enqueue.sending import Receipt, Sender
from worker.operations.enqueue.state import State

# So that one slow batch doesn't leave the other threads without work.
_BATCHES_A_THREAD: Final = 2


def _ignore(_: object) -> None:
    """For whoever doesn't want to know."""


@dataclass
class Delivery:
    """Sends batches and keeps account of them in a state.

    Attributes:
        sender: sends one batch.
        state: where the account is kept.
        interruption: ends the delivery early; set here, too, when an error ends it.
        concurrency: how many threads send.
        save: writes the state down.
        refuse: writes refusals down, before the state.
    """

    sender: Sender
    state: State
    interruption: Interruption
    concurrency: int
    save: Callable[[State], None] = _ignore
    refuse: Callable[[list[Refusal]], None] = _ignore
    error: Exception | None = field(default=None, init=False)

    def deliver(self, batches: Iterator[Batch]) -> bool:
        """Send all batches; tells whether there were no more and all are settled.

        Raises:
            Exception: what the batches' source raised, after everything in flight is settled,
                or what made sending impossible.
        """
        window: deque[tuple[Batch, Future[Receipt]]] = deque()
        ended = False
        with ThreadPoolExecutor(self.concurrency, "sender") as threads:
            try:
                while batch := self._next(batches):
                    window.append((batch, threads.submit(self.sender.send, batch.messages)))
                    self._settle(window, leave=self.concurrency * _BATCHES_A_THREAD - 1)
                ended = not self.interruption.stopped.is_set()
            finally:
                self._settle(window, leave=0)
        if self.error:
            raise self.error
        return ended and not self.state.pending

    def _next(self, batches: Iterator[Batch]) -> Batch | None:
        try:
            with self.interruption.reading():
                return next(batches, None)
        except InterruptedReadingError:
            return None

    def _settle(self, window: deque[tuple[Batch, Future[Receipt]]], leave: int) -> None:
        """Settle what is done, and wait until no more than `leave` batches are under way."""
        while window and (len(window) > leave or window[0][1].done()):
            batch, future = window.popleft()
            self._account(batch, future.result())

    def _account(self, batch: Batch, receipt: Receipt) -> None:
        refused = batch.refused + receipt.refused
        if refused:
            self.refuse(refused)
        if receipt.error and not self.error:
            self.error = receipt.error
            self.interruption.stopped.set()
        state, tally = self.state, self.state.tally
        state.position = batch.position
        settled = {id(message) for message in batch.messages}
        left = [message for message in state.pending if id(message) not in settled]
        state.pending = left + receipt.pending
        tally.sent += len(receipt.sent)
        tally.refused += len(refused)
        tally.left_out += batch.left_out
        tally.object_bytes += sum(message.size_bytes for message in receipt.sent)
        self.save(state)
