"""Settings → the worker, whole: the one place where its parts are joined."""

import boto3
from botocore.config import Config

from worker.dead_letters import DeadLetterQueue
from worker.detector.pool import DetectorPool
from worker.handler import Handler
from worker.objects import CLIENT_CONFIG, ObjectReader
from worker.pipeline import Pipeline
from worker.results.table import ResultsTable
from worker.settings import Settings
from worker.telemetry import Telemetry

_SQS_CONFIG = Config(
    connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
)


def build_handler(settings: Settings, detectors: DetectorPool) -> Handler:
    """The handler that does what the settings say, with detectors already started."""
    session = boto3.Session()
    objects = ObjectReader(session.client("s3", config=CLIENT_CONFIG), settings.max_image_bytes)
    results = ResultsTable(settings.results_table, settings.model, settings.result_ttl_days)
    results.connect()
    return Handler(
        pipeline=Pipeline(objects, detectors, results),
        results=results,
        dead_letters=DeadLetterQueue(
            session.client("sqs", config=_SQS_CONFIG), settings.dead_letter_queue_url
        ),
        detectors=detectors,
        telemetry=Telemetry(),
        image_bucket=settings.image_bucket,
    )
