"""The process of the stand-in services, and their control."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, Final, Self
from urllib.parse import quote

from bench.program import ROOT
from bench.services import DELAYS_PATH, HOST, ITEMS_PATH

BUCKET: Final = "bench-images"

# Seconds of latency of slow services.
_FAR: Final = {"s3": 0.050, "dynamodb": 0.020}
_NEAR: Final = {"s3": 0.0, "dynamodb": 0.0}


class LocalServices:
    """Runs `bench.services` for the duration of the block."""

    def __enter__(self) -> Self:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.services"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        if self._process.stdout is None:
            raise TypeError("no pipe")
        self._port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.communicate()

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables for a program that uses these services."""
        return {
            "AWS_ENDPOINT_URL": f"http://{HOST}:{self._port}",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "no_proxy": HOST,
            "RESULTS_TABLE": "bench-results",
            "IMAGE_BUCKET": BUCKET,
        }

    def put(self, key: str, content: bytes) -> None:
        """Store an object."""
        self._request("PUT", quote(f"/{BUCKET}/{key}"), content)

    def move_away(self) -> None:
        """Delay S3's responses by 50 ms and DynamoDB's by 20 ms."""
        self._request("POST", DELAYS_PATH, json.dumps(_FAR).encode())

    def come_near(self) -> None:
        """Remove the delays."""
        self._request("POST", DELAYS_PATH, json.dumps(_NEAR).encode())

    def items(self) -> list[dict[str, Any]]:
        """The stored items, as DynamoDB's JSON."""
        items: list[dict[str, Any]] = json.loads(self._request("GET", ITEMS_PATH))
        return items

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        with closing(HTTPConnection(HOST, self._port, timeout=30)) as connection:
            connection.request(method, path, body)
            return connection.getresponse().read()
