"""The page's photos: read from S3 if they are still what was processed, and made small."""

from base64 import b64encode
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.config import Config
from PIL import Image

from landmarks.errors import (
    AccessDeniedError,
    DetectorStartError,
    ObjectNotFoundError,
    TooManyBytesError,
    TransientError,
)
from landmarks.photograph import PhotoDecoder, UnreadablePhotographError, processed_content
from landmarks.report.entries import Entry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The longer side. Ten photos of 640 pixels took 27 kB each as WebP at this quality, 39 kB as
# JPEG at quality 75. WebP's method 4 would save a thirtieth of it for twice the time.
SIDE_PIXELS: Final = 640
_QUALITY: Final = 70
_METHOD: Final = 2

MAX_BYTES: Final = 80_000_000  # the default of MAX_IMAGE_BYTES
_SECONDS: Final = 60
_THREADS: Final = 8
DECODERS: Final = 2

CLIENT_CONFIG: Final = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=_THREADS,
)


class PhotoState(StrEnum):
    """Whether a photo is in the page, or why not."""

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
    """A photo of the page.

    Attributes:
        state: whether it is embedded.
        address: a `data:` URL; None unless it is embedded.
    """

    state: PhotoState
    address: str | None = None


class PhotoReader:
    """Reads the photos of results. Files that the worker refused to decode are not decoded here."""

    def __init__(self, client: "S3Client", decoder: PhotoDecoder) -> None:
        self._client = client
        self._decoder = decoder

    def read_all(self, entries: Iterable[Entry]) -> Iterator[Photo]:
        """The photos of entries, in their order; a few are read ahead."""
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
        """The photo of an entry.

        Raises:
            DetectorStartError: no photo can be decoded.
        """
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
            return Photo(PhotoState.EMBEDDED, _data_url(self._decoder.decode(content)))
        except DetectorStartError:
            raise
        except (TransientError, TooManyBytesError, UnreadablePhotographError) as error:
            return Photo(_STATES.get(type(error), PhotoState.UNAVAILABLE))


def _data_url(picture: Image.Image) -> str:
    file = BytesIO()
    picture.save(file, "WEBP", quality=_QUALITY, method=_METHOD)
    return f"data:image/webp;base64,{b64encode(file.getbuffer()).decode()}"
