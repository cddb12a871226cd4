"""AWS events as the services send them. Each factory takes only what varies.

Keys are passed unencoded. Each factory encodes them as its service does.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

Event = dict[str, Any]

REGION = "eu-central-1"
ACCOUNT = "111122223333"
BUCKET = "camera-roll"
ETAG = "d41d8cd98f00b204e9800998ecf8427e"
SEQUENCER = "0055AED6DCD90281E5"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:landmark-jobs"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:new-photographs"
SENT_AT = "2026-01-02T03:04:05.678Z"
SENT_AT_MS = 1_767_323_045_678


def sqs_event(
    *bodies: str | Mapping[str, object], receive_count: int = 1, sent_at_ms: int = SENT_AT_MS
) -> Event:
    """Return the event that Lambda passes for a batch of SQS messages.

    Args:
        bodies: one per message; mappings become JSON. The n-th message's id ends in n, from 0.
        receive_count: how often each message was received, including this time.
        sent_at_ms: when each message was first sent, milliseconds since 1970.
    """
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    attributes = {
        "ApproximateReceiveCount": str(receive_count),
        "SentTimestamp": str(sent_at_ms),
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": str(sent_at_ms + 1),
    }
    return {
        "Records": [
            {
                "messageId": f"00000000-0000-4000-8000-{number:012}",
                "receiptHandle": f"receipt-{number}",
                "body": text,
                "attributes": dict(attributes),
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": QUEUE_ARN,
                "awsRegion": REGION,
            }
            for number, text in enumerate(texts)
        ]
    }


def s3_notification(
    *keys: str,
    bucket: str = BUCKET,
    etag: str = ETAG,
    sequencer: str = SEQUENCER,
    version_id: str | None = None,
    event_name: str = "ObjectCreated:Put",
) -> Event:
    """Return an S3 event notification with one record per key, with form-encoded keys.

    Args:
        keys: object keys, unencoded.
        bucket: their bucket.
        etag: their ETag.
        sequencer: their sequencer.
        version_id: the object version; left out, as by S3, in a bucket without versioning.
        event_name: the event's name.
    """
    version = {} if version_id is None else {"versionId": version_id}
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": REGION,
                "eventTime": SENT_AT,
                "eventName": event_name,
                "userIdentity": {"principalId": "AWS:AIDAIENQZJOLO23YVJ4VO"},
                "requestParameters": {"sourceIPAddress": "192.0.2.7"},
                "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "landmark-jobs",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {
                        "key": quote_plus(key, safe="/"),
                        "size": 48_151,
                        "eTag": etag,
                        **version,
                        "sequencer": sequencer,
                    },
                },
            }
            for key in keys
        ]
    }


def s3_test_event(bucket: str = BUCKET) -> Event:
    """Return the event that S3 sends once when a bucket's notifications are configured."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": SENT_AT,
        "Bucket": bucket,
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
    }


def eventbridge_created(
    key: str,
    *,
    bucket: str = BUCKET,
    etag: str = ETAG,
    sequencer: str = SEQUENCER,
    version_id: str | None = None,
    detail_type: str = "Object Created",
) -> Event:
    """Return an EventBridge event from S3, with the key unencoded.

    Args:
        key: object key, unencoded.
        bucket: its bucket.
        etag: its ETag.
        sequencer: its sequencer.
        version_id: its version; left out in a bucket without versioning.
        detail_type: the event's detail type.
    """
    version = {} if version_id is None else {"version-id": version_id}
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": SENT_AT,
        "region": REGION,
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {
                "key": key,
                "size": 48_151,
                "etag": etag,
                **version,
                "sequencer": sequencer,
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": ACCOUNT,
            "source-ip-address": "192.0.2.7",
            "reason": "PutObject",
        },
    }


def sns_envelope(message: str | Mapping[str, object]) -> Event:
    """Return the message of an SNS topic to a queue subscribed without raw delivery."""
    return {
        "Type": "Notification",
        "MessageId": "dc1e94d9-56c5-5e96-808d-cc7f68faa162",
        "TopicArn": TOPIC_ARN,
        "Subject": "Amazon S3 Notification",
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": SENT_AT,
        "SignatureVersion": "1",
        "Signature": "EXAMPLEpH+..",
        "SigningCertURL": f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService.pem",
        "UnsubscribeURL": f"https://sns.{REGION}.amazonaws.com/?Action=Unsubscribe",
    }


def sns_event(*messages: str | Mapping[str, object]) -> Event:
    """Return what an SNS topic hands to a function that is subscribed to it.

    Args:
        messages: one per record; AWS sends one at a time.
    """
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": f"{TOPIC_ARN}:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55",
                "Sns": {**sns_envelope(message), "MessageAttributes": {}},
            }
            for message in messages
        ]
    }


def custom_event(detail: object) -> Event:
    """Return an EventBridge event that an application has put on a bus."""
    return {
        "version": "0",
        "id": "b2d3f0a1-6c1e-4c0e-9d0c-3a7a0a4f1c55",
        "detail-type": "Photograph uploaded",
        "source": "com.example.photos",
        "account": ACCOUNT,
        "time": SENT_AT,
        "region": REGION,
        "resources": [],
        "detail": detail,
    }


def failure_destination(event: object, condition: str = "RetriesExhausted") -> Event:
    """Return what Lambda sends to a destination about an asynchronous invocation.

    Args:
        event: what the function was invoked with.
        condition: why the destination gets it.
    """
    return {
        "version": "1.0",
        "timestamp": SENT_AT,
        "requestContext": {
            "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
            "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:landmarks:$LATEST",
            "condition": condition,
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {"errorMessage": "S3 has no such object", "errorType": "ServiceError"},
    }


def batch_operation(
    *keys: str,
    bucket: str = BUCKET,
    schema: str = "1.0",
    version_id: str | None = None,
    arguments: Mapping[str, str] | None = None,
) -> Event:
    """Return what S3 Batch Operations hands to a function.

    Args:
        keys: literal object keys, one per task; AWS sends one at a time. The n-th task's id ends
            in n, from 0.
        bucket: the bucket of all of them.
        schema: "1.0" names the bucket by its ARN, "2.0" by its name.
        version_id: of all of them, if the manifest has versions.
        arguments: the user's, with schema "2.0".
    """
    names = {"s3BucketArn": f"arn:aws:s3:::{bucket}"} if schema == "1.0" else {"s3Bucket": bucket}
    job = {"id": "f3cc4f60-61f6-4a2b-8a21-d07600c373ce"}
    return {
        "invocationSchemaVersion": schema,
        "invocationId": "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo",
        "job": job if arguments is None else {**job, "userArguments": dict(arguments)},
        "tasks": [
            {
                "taskId": f"dGFza2lkZ29lc2hlcmUK{number}",
                "s3Key": quote_plus(key, safe="/"),
                "s3VersionId": version_id,
                **names,
            }
            for number, key in enumerate(keys)
        ],
    }


def payload_pointer(
    bucket: str,
    key: str,
    *,
    class_name: str = "software.amazon.payloadoffloading.PayloadS3Pointer",
) -> str:
    """Return the message body of an SQS extended client that left the real one in S3."""
    return json.dumps([class_name, {"s3BucketName": bucket, "s3Key": key}])
