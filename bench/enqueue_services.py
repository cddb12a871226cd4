"""A generated S3 listing and a queue that only counts, for `bench.enqueue_million`.

Storing a million objects and messages would measure the stand-in rather than the command. It
implements two operations: ListObjectsV2 (order, start-after, continuation tokens, URL encoding) and
SendMessageBatch (JSON protocol, MD5 of bodies), and counts how often each key arrives.
"""

import argparse
import base64
import hashlib
import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, quote, urlsplit

BUCKET = "bench-images"
_PREFIX, _SUFFIX = "photos/camera-roll/", ".jpg"
_PAGE = 1000
_ITEM = (
    "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>481516</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)


def key(number: int) -> str:
    """The key of an object; keys sort like their numbers."""
    return f"{_PREFIX}IMG {number:09}{_SUFFIX}"


def _number(text: str) -> int:
    return int(text.removeprefix(f"{_PREFIX}IMG ").removesuffix(_SUFFIX))


class Services(BaseHTTPRequestHandler):
    """One request.

    Attributes:
        objects: number of objects in the bucket.
        seen: how often each key arrived, up to 255.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one write an answer
    objects: ClassVar[int]
    seen: ClassVar[bytearray]

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """ListObjectsV2, or the counts."""
        url = urlsplit(self.path)
        if url.path == "/seen":
            counts = {"once": self.seen.count(1), "never": self.seen.count(0)}
            self._answer("application/json", json.dumps(counts))
        else:
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            self._answer("application/xml", self._listing(query))

    def do_POST(self) -> None:
        """SendMessageBatch."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        successful = []
        for entry in body["Entries"]:
            text = entry["MessageBody"]
            number = _number(json.loads(text)["key"])
            self.seen[number] = min(255, self.seen[number] + 1)
            md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
            successful.append(
                {"Id": entry["Id"], "MessageId": str(uuid.uuid4()), "MD5OfMessageBody": md5}
            )
        self._answer("application/x-amz-json-1.0", json.dumps({"Successful": successful}))

    def _listing(self, query: dict[str, str]) -> str:
        first = 0
        if token := query.get("continuation-token"):
            first = int(base64.b64decode(token))
        elif after := query.get("start-after"):
            first = _number(after) + 1
        end = self.objects if _PREFIX.startswith(query.get("prefix", "")) else first
        last = min(first + min(_PAGE, int(query.get("max-keys", _PAGE))), end)
        items = "".join(_ITEM.format(key=quote(key(number), "/")) for number in range(first, last))
        following = base64.b64encode(str(last).encode()).decode()
        more = (
            f"<IsTruncated>true</IsTruncated>"
            f"<NextContinuationToken>{following}</NextContinuationToken>"
            if last < end
            else "<IsTruncated>false</IsTruncated>"
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><EncodingType>url</EncodingType>"
            f"<KeyCount>{last - first}</KeyCount><MaxKeys>{_PAGE}</MaxKeys>"
            f"{more}{items}</ListBucketResult>"
        )

    def _answer(self, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serve until killed; the first line on standard output is the port."""
    parser = argparse.ArgumentParser(prog="python -m bench.enqueue_services", description=__doc__)
    parser.add_argument("objects", type=int, help="number of objects in the bucket")
    Services.objects = parser.parse_args().objects
    Services.seen = bytearray(Services.objects)
    with ThreadingHTTPServer(("127.0.0.1", 0), Services) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
