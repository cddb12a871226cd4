"""Queue messages as producers write them, for objects in the embedded S3.

The worker's side of it is `worker/jobs.py`.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus


@dataclass(frozen=True, slots=True)
class UploadedObject:
    """What a producer knows about an object.

    Attributes:
        bucket: name of its bucket.
        key: literal.
        etag: without quotes.
        size_bytes: of its content.
    """

    bucket: str
    key: str
    etag: str
    size_bytes: int


# An object → the body of a message that asks for its landmarks.
Envelope = Callable[[UploadedObject], str]


def direct_message(uploaded: UploadedObject) -> str:
    """The worker's own form; the bucket is the one of its settings."""
    return json.dumps({"key": uploaded.key})


def s3_notification(uploaded: UploadedObject) -> str:
    """What a bucket sends to a queue: keys form-encoded."""
    return json.dumps(_notification(uploaded))


def sns_notification(uploaded: UploadedObject) -> str:
    """What a bucket sends through a topic."""
    message = json.dumps(_notification(uploaded))
    return json.dumps(
        {"Type": "Notification", "Subject": "Amazon S3 Notification", "Message": message}
    )


def eventbridge_event(uploaded: UploadedObject) -> str:
    """What a bucket sends through EventBridge: keys literal."""
    return json.dumps(
        {
            "version": "0",
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {
                "bucket": {"name": uploaded.bucket},
                "object": {
                    "key": uploaded.key,
                    "size": uploaded.size_bytes,
                    "etag": uploaded.etag,
                    "sequencer": _sequencer(),
                },
            },
        }
    )


def _notification(uploaded: UploadedObject) -> Mapping[str, Any]:
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": uploaded.bucket},
                    "object": {
                        "key": quote_plus(uploaded.key, safe="/"),
                        "size": uploaded.size_bytes,
                        "eTag": uploaded.etag,
                        "sequencer": _sequencer(),
                    },
                },
            }
        ]
    }


def _sequencer() -> str:
    """As S3's: hexadecimal, later ones larger."""
    return f"{time.time_ns():018X}"
