"""Carry connections from one address to another, TCP and Unix sockets alike.

`python3 relay.py READY LISTEN=CONNECT …`: an address is `host:port`, or the path of a Unix
socket. READY is a file that is made once every address is listened at. A Unix socket in a
mounted folder leads into a container that has no network, and out of it.

Standard library only, for any Python 3: it runs inside containers too.
"""

import asyncio
import sys
from pathlib import Path

# The event loop itself keeps only weak references: a connection would be forgotten half-way.
carried: set[asyncio.Task[None]] = set()


def keep(task: asyncio.Task[None]) -> asyncio.Task[None]:
    """Keep a task until it is done."""
    carried.add(task)
    task.add_done_callback(carried.discard)
    return task


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on bytes until there are no more."""
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
    except OSError:
        sink.close()  # one side has gone: so does the other


async def relay(listen: str, connect: str) -> None:
    """Listen at one address and carry each connection to the other."""

    async def carry(here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            if "/" in connect:
                there, forth = await asyncio.open_unix_connection(connect)
            else:
                host, port = connect.rsplit(":", 1)
                there, forth = await asyncio.open_connection(host, int(port))
        except OSError:
            back.close()  # nobody there: the caller sees the connection end
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
    """Relay until the process is ended."""
    for route in routes:
        await relay(*route.split("="))
    Path(ready).touch()  # noqa: ASYNC240, once, and nobody waits meanwhile
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
