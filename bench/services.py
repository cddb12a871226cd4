"""Stand-ins for S3 and DynamoDB, with the operations that the worker and the blog's handler use.

They answer in a fraction of a millisecond of CPU: moto would take as long for three responses as
half an image. Conditions are ignored, because no key is written twice. Each service can have a
delay, like a network.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import md5
from typing import Any, Final
from urllib.parse import unquote

HOST: Final = "127.0.0.1"

_REASONS: Final = {200: "OK", 304: "Not Modified", 404: "Not Found", 501: "Not Implemented"}
_JSON: Final = {"Content-Type": "application/x-amz-json-1.0"}

# Paths to control the services, which no bucket can have.
DELAYS_PATH: Final = "/-/delays"
ITEMS_PATH: Final = "/-/items"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self, *, with_body: bool) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {_REASONS[self.status]}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode() + (self.body if with_body else b"")


class Services:
    """Objects and items, in memory."""

    def __init__(self) -> None:
        """Start empty."""
        self._objects: dict[str, bytes] = {}
        self._items: dict[str, dict[str, object]] = {}
        self._delays = {"s3": 0.0, "dynamodb": 0.0}
        self._modified = formatdate(usegmt=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await _read_head(reader):
                line, headers = head
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = line.split(" ", 2)
                answer = await self._answer(
                    method, unquote(target.partition("?")[0]), headers, body
                )
                writer.write(answer.encode(with_body=method != "HEAD"))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is gone
        finally:
            writer.close()

    async def _answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> _Answer:
        if path == DELAYS_PATH:
            self._delays = json.loads(body)
            return _Answer(200)
        if path == ITEMS_PATH:
            return _Answer(200, json.dumps(list(self._items.values())).encode())
        if method == "PUT":
            self._objects[path] = body
            return _Answer(200, headers={"ETag": _etag(body)})
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        await asyncio.sleep(self._delays["dynamodb" if operation else "s3"])
        if operation:
            return self._item(operation, json.loads(body))
        return self._object(path, headers)

    def _object(self, path: str, headers: Mapping[str, str]) -> _Answer:
        content = self._objects.get(path)
        if content is None:
            error = b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>"
            return _Answer(404, error)
        if headers.get("if-none-match") == _etag(content):
            return _Answer(304)
        return _Answer(200, content, {"ETag": _etag(content), "Last-Modified": self._modified})

    def _item(self, operation: str, request: Mapping[str, dict[str, object]]) -> _Answer:
        if operation == "GetItem":
            item = self._items.get(_key(request["Key"]))
            return _Answer(200, json.dumps({"Item": item} if item else {}).encode(), _JSON)
        if operation == "BatchGetItem":
            return _Answer(200, json.dumps(self._items_together(request)).encode(), _JSON)
        if operation == "PutItem":
            self._items[_key(request["Item"])] = request["Item"]
            return _Answer(200, b"{}", _JSON)
        return _Answer(501, b"{}", _JSON)

    def _items_together(self, request: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        asked = request["RequestItems"]
        return {
            "Responses": {
                table: [
                    self._items[_key(key)] for key in wanted["Keys"] if _key(key) in self._items
                ]
                for table, wanted in asked.items()
            },
            "UnprocessedKeys": {},
        }


def _key(item: Mapping[str, object]) -> str:
    return json.dumps([item["object_key"], item["bucket"]])


def _etag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]] | None:
    """The request line, and headers by lower-case name; None at the end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return first, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _main() -> None:
    server = await asyncio.start_server(Services().serve, HOST, 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
