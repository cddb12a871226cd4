"""Several paged sources read at the same time, as one stream, in constant memory."""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")


def merge_pages(sources: Sequence[Iterator[Sequence[T]]]) -> Generator[T, None, None]:
    """What the sources' pages hold, in the order in which they arrive.

    While a page is given out, the next one of its source is fetched: at most two of each are in
    memory. Closing the generator waits for the pages that are under way, and asks for no more.

    Raises:
        Exception: whatever a source raises, once what came before it is given out.
    """
    with ThreadPoolExecutor(len(sources), thread_name_prefix="pages") as threads:
        waiting: dict[Future[Sequence[T] | None], Iterator[Sequence[T]]] = {
            threads.submit(next, source, None): source for source in sources
        }
        while waiting:
            for arrived in wait(waiting, return_when=FIRST_COMPLETED).done:
                source, page = waiting.pop(arrived), arrived.result()
                if page is not None:
                    waiting[threads.submit(next, source, None)] = source
                    yield from page
