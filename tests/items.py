"""Items in the results table, written without the worker."""

from datetime import UTC, datetime, timedelta

from tests.fakes import Cloud

OPTIONS_HASH = "0123456789abcdef"


def store(
    cloud: Cloud,
    key: str,
    status: str = "detected",
    *,
    code: str | None = None,
    bucket: str | None = None,
    options_hash: str = OPTIONS_HASH,
    job_id: str | None = None,
    total_ms: int = 100,
    minutes_ago: float = 1,
) -> None:
    """Store the attributes that an object's summary needs, without landmarks."""
    processed_at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    texts = {
        "object_key": key,
        "bucket": bucket or cloud.stack.bucket,
        "status": status,
        "error_code": code,
        "error_message": code and f"because of {code}",
        "options_hash": options_hash,
        "job_id": job_id,
        "processed_at": processed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    durations = {"fetch": 5, "detect": total_ms - 5, "total": total_ms}
    cloud.put_item(
        {name: {"S": text} for name, text in texts.items() if text is not None}
        | {"duration_ms": {"M": {part: {"N": str(ms)} for part, ms in durations.items()}}}
    )
