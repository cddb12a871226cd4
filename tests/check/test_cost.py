"""The cost model, and that docs/cost.md shows its results."""

import base64
import contextlib
import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from bench import cost, cost_page, measured, on_lambda, prices
from bench.fargate import compare
from bench.measured import Figure
from landmarks.groups import Landmarks
from landmarks.job import Job
from tests.infra.cloudformation import load_template
from worker.result import Detection, ObjectIdentity, Result
from worker.telemetry import Telemetry, configure_logging


def values() -> dict[str, float]:
    """The committed figures."""
    return {name: figure.value for name, figure in measured.committed().items()}


def test_the_readme_has_the_price_of_a_million() -> None:
    """In both encodings."""
    rows = cost_page.tables(measured.committed())["images"]
    totals = {row[0]: row[-1].strip("*") for row in rows}
    page = " ".join(Path("README.md").read_text(encoding="utf-8").split())

    assert f"[{totals['640 px, complexity 2']} dollars](docs/cost.md)" in page
    assert f"{totals['640 px, complexity 2, `LANDMARK_ENCODING=int16`']} with" in page


def test_total_is_the_sum_of_the_parts() -> None:
    """Writes, a read, S3 requests, a log line and SQS requests add up."""
    workload = cost.Workload(
        wall_ms=0,
        memory_mb=1769,
        queue_requests=1,
        write_units=5,
        read_units=1,
        s3_requests=3,
        log_bytes=1000,
    )
    platform_log = len(cost.PLATFORM_LOG) / 1000 * 0.50

    dollars = cost.cost(workload)

    assert dollars.table == pytest.approx(5 * 0.625 + 0.125)
    assert dollars.total == pytest.approx(0.20 + 0.40 + 3.25 + 1.20 + 0.50 + platform_log)


@pytest.mark.parametrize(
    ("batch_size", "message_bytes", "send_batch", "requests"),
    [
        (10, 200, 10, 0.1 + 0.1 + 0.1),
        (10, 200, 1, 1 + 0.1 + 0.1),
        (1, 200, 10, 0.1 + 1 + 1),
        (100, 200, 10, 0.1 + 0.1 + 0.1),  # SQS's batches have at most ten
        (10, 20_000, 10, 0.4 + 0.4 + 0.1),  # 200,000 bytes are 4 chunks of 64 KiB
    ],
)
def test_queue_requests_are_shared_by_ten_messages_at_most(
    batch_size: int, message_bytes: int, send_batch: int, requests: float
) -> None:
    """Messages are sent, received and deleted; each 64 KiB counts as a request."""
    counted = cost.queue_requests(batch_size, message_bytes, send_batch)

    assert counted == pytest.approx(requests)


@pytest.mark.parametrize(
    ("images", "dollars"),
    [(1000, 1), (1e6, 1000), (5e6, 4200), (35e6, 22_200), (36e6, 22_600)],
)
def test_a_tariff_has_steps(images: float, dollars: float) -> None:
    """Rekognition's four: only images beyond a step are cheaper."""
    assert prices.HOSTED_APIS[0].dollars(images) == pytest.approx(dollars)


def test_the_model_agrees_with_the_template() -> None:
    """On memory, batch size, alarms and dashboards."""
    template = load_template()
    types = [resource["Type"] for resource in template["Resources"].values()]
    idle = cost.idle_month(values())

    assert template["Parameters"]["FunctionMemoryMegabytes"]["Default"] == cost.WORKER_MB
    assert template["Parameters"]["BatchSize"]["Default"] == cost.BATCH
    assert idle["alarms"] == pytest.approx(types.count("AWS::CloudWatch::Alarm") * 0.10)
    assert idle["dashboard"] == pytest.approx(types.count("AWS::CloudWatch::Dashboard") * 3)


@pytest.fixture
def worker_logger() -> Iterator[None]:
    """The worker's logger, restored after the test."""
    logger = logging.getLogger("worker")
    before = logger.handlers, logger.level, logger.propagate
    yield
    logger.handlers, logger.level, logger.propagate = before


def _log_of_a_batch(images: int) -> str:
    job = Job(
        "landmark-images-1b4d5c50-9a53-11f0-8d9c-0affc4b1f2a7",
        "photos/2026/11/IMG_0001.jpg",
        message_id="059f36b4-87a3-44ab-83d2-661975830a7d",
    )
    result = Result(
        job=job,
        identity=ObjectIdentity("e" * 32, datetime.now(UTC), 123_456),
        outcome=Detection(Landmarks(), 640, 480, "jpeg"),
        fetch_ms=12,
        detect_ms=85,
        total_ms=110,
    )
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        configure_logging()
        telemetry = Telemetry()
        for _ in range(images):
            telemetry.finished(job, result)
        telemetry.end_invocation(0)
    return output.getvalue()


@pytest.mark.usefixtures("worker_logger")
def test_log_bytes_are_those_of_the_worker() -> None:
    """The committed figure is what a batch of ten logs, within 5 %."""
    per_image = len(_log_of_a_batch(10).encode()) / 10

    assert values()["log_bytes"] == pytest.approx(per_image, rel=0.05)


def test_the_page_shows_the_committed_figures() -> None:
    """Otherwise run `make cost`."""
    page = cost_page.PAGE.read_text()

    assert cost_page.filled(page, measured.committed()) == page


def test_a_missing_figure_is_not_measured() -> None:
    """Its row says so; a figure from another source has a mark."""
    figures = measured.committed() | {"baseline_wall_ms": Figure(400, "a test")}
    figures.pop("large_baseline_wall_ms", None)
    rows = {row[0]: row for row in cost_page.tables(figures)["images"]}

    assert rows["the blog's handler, 640 px"][1] == "400 †"
    assert rows["the blog's handler, 12 megapixels"][1:] == ["not measured", *"------"]


def test_figures_of_the_benchmark_are_adopted_by_name(tmp_path: Path) -> None:
    """Others are ignored; figures that the benchmark lacks are kept."""
    committed, bench = tmp_path / "measured.json", tmp_path / "bench.json"
    committed.write_text(
        json.dumps({n: {"value": 1, "source": "before"} for n in ("init_ms", "worker_wall_ms")})
    )
    bench.write_text(json.dumps({"worker_wall_ms": 80.5, "peak_mb": 600, "machine": "a text"}))

    measured.adopt(cost_page.NAMES, committed, bench)

    assert measured.committed(committed) == {
        "init_ms": Figure(1, "before"),
        "worker_wall_ms": Figure(80.5, "make bench"),
    }


def test_fargate_breaks_even_where_an_hour_of_a_task_costs_as_much_as_lambda() -> None:
    """By hand: 0.1 s x 1769/1024 GB x 0.0000166667 $ + 0.0000002 $; 0.04048 $ + 4 x 0.004445 $."""
    result = compare(100)

    assert result.fargate_dollars_an_hour == pytest.approx(0.05826)
    assert result.break_even_images_an_hour == pytest.approx(20_095, abs=1)
    assert result.break_even_images_an_hour * result.lambda_dollars_an_image == pytest.approx(
        result.fargate_dollars_an_hour
    )


def test_arm64_costs_a_fifth_less_for_the_same_time() -> None:
    """By hand: 0.0000133334 $ instead of 0.0000166667 $; 0.03238 $ + 4 x 0.00356 $."""
    x86_64, arm64 = (
        cost.cost(cost.worker(100, values(), name)).function for name in ("x86_64", "arm64")
    )

    assert (arm64 - 0.02) / (x86_64 - 0.02) == pytest.approx(0.8, abs=1e-5)
    assert compare(100, architecture="arm64").fargate_dollars_an_hour == pytest.approx(0.04662)


FUNCTIONS = [
    on_lambda.Function("one", "x86_64", 1769),
    on_lambda.Function("other", "arm64", 1769),
]
EVENT = {"bucket": "photos", "key": "photo.jpg", "force": True}


def _answers(stub: Stubber, name: str, answer: object, milliseconds: int = 0) -> None:
    """Have the client's next call answered like Lambda does."""
    body = json.dumps(answer).encode()
    log = f"REPORT RequestId: 1\tDuration: 9.5 ms\tBilled Duration: {milliseconds} ms\tMemory Size"
    stub.add_response(
        "invoke",
        {
            "StatusCode": 200,
            "LogResult": base64.b64encode(log.encode()).decode(),
            "Payload": StreamingBody(io.BytesIO(body), len(body)),
        },
        {"FunctionName": name, "Payload": json.dumps(EVENT), "LogType": "Tail"},
    )


@pytest.fixture
def stub() -> Iterator[Stubber]:
    """A client of Lambda whose answers are given."""
    client = boto3.client("lambda", region_name="us-east-1")
    with Stubber(client) as started:
        yield started


def test_functions_are_invoked_in_turn(stub: Stubber) -> None:
    """The first time, a cold start, does not count. The median's price is the architecture's."""
    for times in ((1500, 1800), (100, 90), (110, 80), (120, 100)):
        for function, milliseconds in zip(FUNCTIONS, times, strict=True):
            _answers(stub, function.name, {"statusCode": 200}, milliseconds)

    taken = on_lambda.measure(stub.client, FUNCTIONS, EVENT, rounds=3)

    stub.assert_no_pending_responses()
    assert taken == {"one": [100, 110, 120], "other": [90, 80, 100]}
    assert on_lambda.table(FUNCTIONS, taken).splitlines() == [
        "x86_64      110 ms (100 to 120), 3.17 $ a million  one, 1,769 MB",
        "arm64        90 ms (80 to 100), 2.07 $ a million  other, 1,769 MB",
    ]


def test_a_function_without_landmarks_ends_the_measurement(stub: Stubber) -> None:
    """The message has its answer."""
    _answers(stub, "one", {"statusCode": 404, "body": {"error": "no such object"}})

    with pytest.raises(on_lambda.InvocationError, match=r"one: .*no such object"):
        on_lambda.measure(stub.client, FUNCTIONS, EVENT, rounds=1)
