"""Relay connections from one address to another, over TCP or Unix sockets.

`python3 relay.py READY LISTEN=CONNECT …`: an address is `host:port` or the path of a Unix socket.
The file READY is created once every address listens. A Unix socket in a mounted folder connects a
container that has no network.

Standard library only, for any Python 3: it also runs in containers.
"""

import asyncio
import sys
from pathlib import Path

# The event loop keeps only weak references to tasks.
carried: set[asyncio.Task[None]] = set()


def keep(task: asyncio.Task[None]) -> asyncio.Task[None]:
    """Keep a reference to a task until it is done."""
    carried.add(task)
    task.add_done_callback(carried.discard)
    return task


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy a stream to its end."""
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
    except OSError:
        sink.close()  # one side is gone: close the other


async def relay(listen: str, connect: str) -> None:
    """Listen on one address and relay each connection to the other."""

    async def carry(here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            if "/" in connect:
                there, forth = await asyncio.open_unix_connection(connect)
            else:
                host, port = connect.rsplit(":", 1)
                there, forth = await asyncio.open_connection(host, int(port))
        except OSError:
            back.close()  # nothing listens there: the client sees its connection end
            return
        pumps = (pump(here, forth), pump(there, back))
        await asyncio.gather(*(keep(asyncio.create_task(way)) for way in pumps))
        forth.close()
        back.close()

    if "/" in listen:
        await asyncio.start_unix_server(carry, listen)
    else:
        host, port = listen.rsplit(":", 1)
        await asyncio.start_server(carry, host, int(port))


async def main(ready: str, *routes: str) -> None:
    """Relay until the process is terminated."""
    for route in routes:
        await relay(*route.split("="))
    Path(ready).touch()  # noqa: ASYNC240, once, before the first connection
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
