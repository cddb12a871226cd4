"""List prices in US dollars, of AWS in us-east-1, as of `AS_OF`.

Without discounts and free tiers, except where one is part of a tariff. Prices change: see the page
beside each.
"""

from dataclasses import dataclass
from typing import Final

AS_OF: Final = "late 2025"

MILLION: Final = 1_000_000
HOURS_A_MONTH: Final = 730

# https://aws.amazon.com/lambda/pricing/ (the first 6 billion GB-seconds of a month, 7.5 billion on
# arm64).
LAMBDA_GB_SECOND: Final = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
LAMBDA_MILLION_REQUESTS: Final = 0.20
LAMBDA_MEGABYTES_A_GB: Final = 1024

# https://aws.amazon.com/fargate/pricing/ (Linux).
FARGATE_VCPU_HOUR: Final = {"x86_64": 0.04048, "arm64": 0.03238}
FARGATE_GB_HOUR: Final = {"x86_64": 0.004445, "arm64": 0.00356}

# https://aws.amazon.com/sqs/pricing/ (standard queues). A request has up to ten messages; each
# 64 KiB are charged as a request.
SQS_MILLION_REQUESTS: Final = 0.40
SQS_CHUNK_BYTES: Final = 64 * 1024
SQS_BATCH: Final = 10

# https://aws.amazon.com/dynamodb/pricing/on-demand/ (standard table class). A write unit is 1 KB, a
# read unit 4 KB with strong consistency, both rounded up; storing an item adds 100 bytes.
DYNAMODB_MILLION_WRITE_UNITS: Final = 0.625
DYNAMODB_MILLION_READ_UNITS: Final = 0.125
DYNAMODB_READ_UNIT_BYTES: Final = 4096
DYNAMODB_ITEM_OVERHEAD_BYTES: Final = 100
DYNAMODB_GB_MONTH: Final = 0.25
DYNAMODB_BACKUP_GB_MONTH: Final = 0.20  # point-in-time recovery, enabled by the template

# https://aws.amazon.com/s3/pricing/ (standard class, no transfer cost in the same region).
S3_MILLION_GETS: Final = 0.40

# https://aws.amazon.com/cloudwatch/pricing/
LOGS_INGESTED_GB: Final = 0.50
METRIC_MONTH: Final = 0.30
ALARM_MONTH: Final = 0.10
DASHBOARD_MONTH: Final = 3.00

# https://aws.amazon.com/ecr/pricing/ (private, no transfer cost in the same region).
ECR_GB_MONTH: Final = 0.10

GB: Final = 1e9


@dataclass(frozen=True, slots=True)
class HostedApi:
    """An API that detects faces, and its list price.

    Attributes:
        name: of vendor and operation.
        page: address of the price list.
        tiers: images of a month and dollars for a thousand of them.
    """

    name: str
    page: str
    tiers: tuple[tuple[float, float], ...]

    def dollars(self, images: float) -> float:
        """The price of this many images in a month."""
        total = 0.0
        for size, per_thousand in self.tiers:
            part = min(images, size)
            total += part / 1000 * per_thousand
            images -= part
        return total


_ENDLESS: Final = float("inf")

HOSTED_APIS: Final = (
    HostedApi(
        "Amazon Rekognition, DetectFaces",
        "https://aws.amazon.com/rekognition/pricing/",
        ((1e6, 1.00), (4e6, 0.80), (30e6, 0.60), (_ENDLESS, 0.40)),
    ),
    HostedApi(
        "Azure AI Face, Detect",
        "https://azure.microsoft.com/pricing/details/cognitive-services/face-api/",
        ((1e6, 1.00), (4e6, 0.80), (95e6, 0.60), (_ENDLESS, 0.40)),
    ),
    HostedApi(
        "Google Cloud Vision, Face Detection",
        "https://cloud.google.com/vision/pricing",
        ((1e3, 0.00), (5e6 - 1e3, 1.50), (_ENDLESS, 0.60)),
    ),
)
