"""A proxy between the worker and the services that injects faults.

One port for each service, so that one can be down while the others are up. It speaks plain HTTP/1.1
with Content-Length, which is all that the AWS clients and moto use.
"""

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final

from tests.chaos.faults import Fault, FaultKind, Request, Service, error_answer, read_request

_HOST: Final = "127.0.0.1"
_MAX_HEAD_BYTES: Final = 64 * 1024
_DROPS: Final = 10
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_ERRORS: Final = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


class _EndOfConnection(Exception):  # noqa: N818, it is not an error
    """Raised when a fault has ended the connection."""


class FaultProxy:
    """Runs in its own thread, from `start` to `close`."""

    def __init__(self, upstream_port: int, decide: Callable[[Request], Fault | None]) -> None:
        """Forward requests to `upstream_port`, with the faults that `decide` returns."""
        self._upstream_port = upstream_port
        self._decide = decide
        self._calm = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._servers: dict[Service, asyncio.Server] = {}
        self._open: dict[Service, set[asyncio.StreamWriter]] = {name: set() for name in Service}
        self._gone: set[Service] = set()
        self.ports: dict[Service, int] = {}
        self.requests = Counter[Service]()
        self.faults = Counter[tuple[Service, str]]()

    def start(self) -> None:
        """Listen on a free port for each service."""
        self._thread.start()
        for service in Service:
            self._run(self._listen(service))

    def endpoint(self, service: Service) -> str:
        """The address of a service."""
        return f"http://{_HOST}:{self.ports[service]}"

    def refuse(self, service: Service) -> None:
        """Reset all connections to a service and refuse new ones, until `accept`."""
        if not self._calm:
            self.faults[service, "refused for a while"] += 1
            self._run(self._vanish(service))

    def accept(self, service: Service) -> None:
        """Accept connections again."""
        if service not in self._servers:
            self._run(self._listen(service))

    def calm(self) -> None:
        """Inject no more faults."""
        self._calm = True
        for service in Service:
            self.accept(service)

    def close(self) -> None:
        """Reset all connections and end the thread."""
        if not self._thread.is_alive():
            return
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)

    async def _listen(self, service: Service) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(service, reader, writer)

        server = await asyncio.start_server(
            serve, _HOST, self.ports.get(service, 0), limit=_MAX_HEAD_BYTES, reuse_address=True
        )
        self._servers[service] = server
        self._gone.discard(service)
        self.ports[service] = server.sockets[0].getsockname()[1]

    async def _vanish(self, service: Service) -> None:
        self._gone.add(service)
        server = self._servers.pop(service, None)
        if server:
            server.close()
        for writer in list(self._open[service]):
            _reset(writer)

    async def _end(self) -> None:
        for service in Service:
            await self._vanish(service)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(
        self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of one connection."""
        if service in self._gone:  # accepted at the last moment
            return _reset(writer)
        self._open[service].add(writer)
        try:
            with suppress(_EndOfConnection, asyncio.CancelledError, *_ERRORS):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    body = await reader.readexactly(_content_length(head))
                    await self._answer(service, head, body, writer)
        finally:
            self._open[service].discard(writer)
            writer.close()

    async def _answer(
        self, service: Service, head: bytes, body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        request = read_request(service, head, body)
        self.requests[service] += 1
        fault = None if self._calm else self._decide(request)
        if fault is None:
            writer.write(await self._forward(head, body))
        else:
            self.faults[service, fault.kind] += 1
            await self._disturb(service, fault, head, body, writer)
        await writer.drain()

    async def _disturb(
        self,
        service: Service,
        fault: Fault,
        head: bytes,
        body: bytes,
        writer: asyncio.StreamWriter,
    ) -> None:
        match fault.kind:
            case FaultKind.SLOW | FaultKind.HANGING:
                await asyncio.sleep(fault.seconds)
                writer.write(await self._forward(head, body))
            case FaultKind.DRIPPING:
                await _drip(writer, await self._forward(head, body), fault.seconds)
            case FaultKind.LOST_ANSWER:
                await self._forward(head, body)
                writer.write(error_answer(service, fault.kind))
            case FaultKind.CLOSED:
                _reset(writer)
                raise _EndOfConnection
            case FaultKind.RESET | FaultKind.TRUNCATED:
                await self._break_off(writer, await self._forward(head, body), fault.kind)
            case _:
                writer.write(error_answer(service, fault.kind))

    async def _break_off(
        self, writer: asyncio.StreamWriter, answer: bytes, kind: FaultKind
    ) -> None:
        """Send the head and half of the body."""
        body_at = answer.index(b"\r\n\r\n") + 4
        writer.write(answer[: body_at + (len(answer) - body_at) // 2])
        await writer.drain()
        if kind is FaultKind.RESET:
            await asyncio.sleep(0.02)  # a reset may overtake what was sent before it
            _reset(writer)
        raise _EndOfConnection

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        """The service's response, changed to keep the connection open."""
        reader, writer = await asyncio.open_connection(_HOST, self._upstream_port)
        try:
            writer.write(_without(head, b"connection", b"Connection: close") + body)
            answer = await reader.read()
        finally:
            writer.close()
        end = answer.index(b"\r\n\r\n") + 4
        return _without(answer[:end], b"connection") + answer[end:]


async def _drip(writer: asyncio.StreamWriter, answer: bytes, seconds: float) -> None:
    size = max(1, len(answer) // _DROPS)
    for at in range(0, len(answer), size):
        writer.write(answer[at : at + size])
        await writer.drain()
        await asyncio.sleep(seconds / _DROPS)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Reset a connection."""
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    writer.transport.abort()


def _headers(head: bytes) -> Mapping[bytes, bytes]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _content_length(head: bytes) -> int:
    return int(_headers(head).get(b"content-length", b"0"))


def _without(head: bytes, name: bytes, *instead: bytes) -> bytes:
    """A head with one header replaced."""
    first, *lines = head.split(b"\r\n\r\n")[0].split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(name + b":")]
    return b"\r\n".join([first, *kept, *instead, b"", b""])
