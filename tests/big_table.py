"""A DynamoDB that only answers Scan, for tables that would take moto minutes to fill.

As in AWS, there are segments and pages of 1 MB with a key to continue from. Filters are ignored.
"""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes import seen_person

# How many items with all groups fit into one of DynamoDB's pages.
_PAGE = 130


def key_of(number: int) -> str:
    """Return an item's key."""
    return f"camera-roll/{number:08}.jpg"


def _number(key: str) -> int:
    return int(key.removeprefix("camera-roll/").removesuffix(".jpg"))


@contextmanager
def big_table(items: int, *, pause: threading.Event | None = None) -> Iterator[str]:
    """Run a DynamoDB with this many items in each table, and yield its URL.

    Args:
        items: number of items.
        pause: every page except a segment's first waits until this is set.
    """

    class Answering(_Scanning):
        count = items
        may_go_on = pause

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Scanning(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one write per response
    count: int
    may_go_on: threading.Event | None

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_POST(self) -> None:
        """Answer with one page."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.may_go_on and "ExclusiveStartKey" in request:
            self.may_go_on.wait()
        content = self._page(request).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _page(self, request: dict[str, Any]) -> str:
        segment, segments = request.get("Segment", 0), request.get("TotalSegments", 1)
        end = self.count * (segment + 1) // segments
        after = request.get("ExclusiveStartKey")
        first = _number(after["object_key"]["S"]) + 1 if after else self.count * segment // segments
        following = min(first + _PAGE, end)
        items = ",".join(
            f'{{"object_key":{{"S":"{key_of(number)}"}},{_REST}}}'
            for number in range(first, following)
        )
        last = f'{{"object_key":{{"S":"{key_of(following - 1)}"}},"bucket":{{"S":"camera"}}}}'
        more = f',"LastEvaluatedKey":{last}' if following < end else ""
        count = following - first
        return f'{{"Items":[{items}],"Count":{count},"ScannedCount":{count}{more}}}'


def _rest() -> str:
    """Return everything in an item except its key."""
    seen = seen_person()
    item: dict[str, Any] = {
        "bucket": {"S": "camera"},
        "status": {"S": "detected"},
        "etag": {"S": "feed"},
        "image": {"M": {"width": {"N": "640"}, "height": {"N": "480"}, "bytes": {"N": "4711"}}},
        "processed_at": {"S": "2026-01-02T03:04:05.678Z"},
        "source_last_modified": {"S": "2026-01-02T03:04:05Z"},
        "options_hash": {"S": "0123456789abcdef"},
    }
    for group, array in seen.landmarks.found():
        item[group.name] = {"B": b64encode(array.tobytes()).decode()}
    return json.dumps(item)[1:-1]


_REST = _rest()
