"""Settings → the whole worker: the one place where its parts are put together."""

import encodings.idna  # noqa: F401, or the first connection would import it, with the first image

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from worker.batch import BatchHandler
from worker.batch_operations import BatchOperationsHandler
from worker.detector.pool import DetectorPool
from worker.direct import DirectHandler
from worker.events import EventHandler
from worker.handler import Handler
from worker.jobs import Buckets
from worker.payloads import MAX_PAYLOAD_BYTES, PayloadReader
from worker.pipeline import Pipeline
from worker.queue import DeadLetterQueue, Retries
from worker.s3 import CLIENT_CONFIG, MaskStore, ObjectReader
from worker.settings import Settings
from worker.table import ResultsTable
from worker.telemetry import Telemetry

# SQS is called at an invocation's end, and what fails then can be done the next time.
SQS_CONFIG = Config(connect_timeout=1, read_timeout=1.5, retries={"total_max_attempts": 1})


def build_handler(settings: Settings, detectors: DetectorPool) -> Handler:
    """The handler that the settings describe, with detectors that are already started.

    Raises:
        BotoCoreError: AWS's own settings are missing or wrong.
    """
    session = boto3.Session()
    sqs = session.client("sqs", config=SQS_CONFIG)
    s3 = session.client("s3", config=CLIENT_CONFIG)
    if session.get_credentials() is None:
        raise NoCredentialsError
    objects = ObjectReader(s3, settings.max_image_bytes)
    masks = MaskStore(s3, settings.segmentation_bucket) if settings.segmentation_bucket else None
    results = ResultsTable(
        settings.results_table,
        settings.model,
        settings.result_ttl_days,
        settings.landmark_encoding,
        prefix_index=settings.prefix_index,
    )
    results.connect()
    buckets = Buckets(settings.image_bucket, settings.allowed_buckets, settings.segmentation_bucket)
    payloads = PayloadReader(ObjectReader(s3, MAX_PAYLOAD_BYTES), buckets)
    telemetry = Telemetry()
    people = settings.model.max_people
    pipeline = Pipeline(objects, detectors, results, telemetry, masks, max_people=people)
    batch = BatchHandler(
        pipeline,
        DeadLetterQueue(sqs, settings.dead_letter_queue_url),
        Retries(sqs, settings.queue_url, settings.retry_base_seconds),
        telemetry,
        payloads=payloads,
        buckets=buckets,
        max_receive_count=settings.max_receive_count,
    )
    direct = DirectHandler(pipeline, results, telemetry, buckets=buckets)
    events = EventHandler(pipeline, telemetry, payloads=payloads, buckets=buckets)
    batch_operations = BatchOperationsHandler(pipeline, telemetry, buckets=buckets)
    return Handler(batch, direct, events, batch_operations, pipeline, detectors, telemetry)
