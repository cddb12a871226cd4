"""One image directly: `{"bucket": …, "key": …}` in, its landmarks out."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from landmarks.errors import LandmarkError, MessageError, ObjectNotFoundError, error_code
from landmarks.groups import Landmarks
from landmarks.item import landmarks_as_json, landmarks_of
from landmarks.job import decode_direct
from worker.jobs import Buckets
from worker.pipeline import Pipeline, settle
from worker.result import Delivery, Outcome, Report
from worker.table import ResultsTable
from worker.telemetry import Telemetry

Answer = Mapping[str, Any]


class DirectHandler:
    """Processes an image at once, stores the result, and answers it."""

    def __init__(
        self,
        pipeline: Pipeline,
        results: ResultsTable,
        telemetry: Telemetry,
        *,
        buckets: Buckets,
    ) -> None:
        """Join the parts; `buckets` says which ones may be named."""
        self._pipeline = pipeline
        self._results = results
        self._telemetry = telemetry
        self._buckets = buckets

    def handle(self, event: object, deadline: float) -> Answer:
        """Answer with landmarks, or with what is wrong."""
        try:
            if not isinstance(event, Mapping):
                raise MessageError("expected an object with a key")
            job = decode_direct(event, default_bucket=self._buckets.default)
            delivery = Delivery(self._buckets.check(job))
            (future,) = self._pipeline.start([delivery], deadline)
            outcome = settle(delivery, future, deadline, self._telemetry)
            if isinstance(outcome, Exception):
                return _error_answer(outcome)
            return self._report_answer(outcome)
        except LandmarkError as error:
            return _error_answer(error)

    def _report_answer(self, report: Report) -> Answer:
        if report.outcome is Outcome.DUPLICATE:
            item = self._results.get(report.delivery.job)
            return _landmarks_answer(landmarks_of(item))
        if report.outcome is Outcome.SUPERSEDED or report.result is None:
            message = "a newer version of this object is already stored"
            return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, message)
        found = report.result.outcome
        if isinstance(found, LandmarkError):
            return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{found.code}: {found}")
        return _landmarks_answer(found.landmarks)


def _landmarks_answer(landmarks: Landmarks) -> Answer:
    if not landmarks.person_found:
        return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, "no person found in the image")
    return _answer(HTTPStatus.OK, None, landmarks_as_json(landmarks))


def _error_answer(error: Exception) -> Answer:
    match error:
        case MessageError():
            return _answer(HTTPStatus.BAD_REQUEST, str(error))
        case ObjectNotFoundError():
            status = HTTPStatus.NOT_FOUND
        case _:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _answer(status, f"{error_code(error)}: {error}")


def _answer(
    status: HTTPStatus, message: str | None, data: Mapping[str, Any] | None = None
) -> Answer:
    return {"statusCode": int(status), "body": {"message": message, "data": data}}
