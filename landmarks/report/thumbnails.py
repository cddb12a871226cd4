"""The photographs of a page: out of S3, if they are still what was processed, and small."""

from base64 import b64encode
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum
from io import BytesIO
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.config import Config

from landmarks.errors import (
    AccessDeniedError,
    ObjectNotFoundError,
    TooManyBytesError,
    TransientError,
)
from landmarks.photograph import Size, UnreadablePhotographError, processed_content, read_upright
from landmarks.report.entries import Entry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Of the longer side. Ten photographs of 640 pixels took 27 kB each at this quality as WebP, 39 kB
# as JPEG of quality 75; WebP's method 4 would save a thirtieth of it for twice the time.
_SIDE_PIXELS: Final = 640


_QUALITY: Final = 70


_METHOD: Final = 2


# What the worker reads.
_FORMATS: Final = ("JPEG", "PNG", "WEBP")


# The default of MAX_IMAGE_BYTES.
MAX_BYTES: Final = 30_000_000


_SECONDS: Final = 60


_THREADS: Final = 8


# A photograph of 50 megapixels takes 300 MB while it is made small.
_DECODERS: Final = 2


CLIENT_CONFIG: Final = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=_THREADS,
)


class PhotoState(StrEnum):
    """Whether a photograph is in the page, or why not."""

    EMBEDDED = "embedded"
    LEFT_OUT = "left_out"
    REFUSED = "refused"
    CHANGED = "changed"
    GONE = "gone"
    DENIED = "denied"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    UNAVAILABLE = "unavailable"


_STATES: Final[dict[type[Exception], PhotoState]] = {
    ObjectNotFoundError: PhotoState.GONE,
    AccessDeniedError: PhotoState.DENIED,
    TooManyBytesError: PhotoState.TOO_LARGE,
    UnreadablePhotographError: PhotoState.UNREADABLE,
}


class Photo(NamedTuple):
    """A photograph as it is embedded.

    Attributes:
        state: whether it is.
        address: a `data:` URL; None unless it is.
    """

    state: PhotoState
    address: str | None = None


class PhotoReader:
    """Gets the photographs of results. What the worker refused to decode is not decoded here."""

    def __init__(self, client: "S3Client") -> None:
        """Read by `client`."""
        self._client = client
        self._decoders = BoundedSemaphore(_DECODERS)

    def read_all(self, entries: Iterable[Entry]) -> Iterator[Photo]:
        """The photographs of entries, in their order; a few are read ahead."""
        threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="photos")
        ahead = deque[Future[Photo]]()
        try:
            for entry in entries:
                ahead.append(threads.submit(self.read, entry))
                if len(ahead) > 2 * _THREADS:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            threads.shutdown(cancel_futures=True)

    def read(self, entry: Entry) -> Photo:
        """The photograph of one entry."""
        if entry.refused:
            return Photo(PhotoState.REFUSED)
        try:
            content = processed_content(
                self._client,
                entry.bucket,
                entry.key,
                version_id=entry.version_id,
                etag=entry.etag,
                max_bytes=MAX_BYTES,
                seconds=_SECONDS,
            )
            if content is None:
                return Photo(PhotoState.CHANGED)
            with self._decoders:
                return Photo(PhotoState.EMBEDDED, _data_url(content))
        except (TransientError, TooManyBytesError, UnreadablePhotographError) as error:
            return Photo(_STATES.get(type(error), PhotoState.UNAVAILABLE))


def _data_url(content: bytes) -> str:
    file = BytesIO()
    picture = read_upright(content, _small, _FORMATS)
    picture.save(file, "WEBP", quality=_QUALITY, method=_METHOD)
    return f"data:image/webp;base64,{b64encode(file.getbuffer()).decode()}"


def _small(size: Size) -> Size:
    """Never larger than it is."""
    factor = min(1.0, _SIDE_PIXELS / max(size))
    width, height = (max(1, round(length * factor)) for length in size)
    return width, height
