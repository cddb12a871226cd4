"""From the bytes of a hostile image to upright pixels: the only file that decodes.

Lives in the child process. It trusts `header.py` for what the bytes claim and OpenCV for the
pixels and the EXIF orientation, and believes the two only where they agree.

What OpenCV decides: transparency is dropped, the colour stored below it shows; colour profiles
are ignored; 16-bit samples lose their lower 8 bits; CMYK counts as inverted, as Adobe stores it.

What nobody tells: of a JPEG that is damaged between two sound markers libjpeg makes up the rest
(grey or smeared), with a warning on stderr and no error. Its landmarks are of what is left.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from worker.detector.header import ImageFormat, ImageHeader, read_header
from worker.errors import CorruptImageError, TooManyPixelsError

# The dearest decodings measured, rotation included: lossless WebP with alpha takes 11.2 bytes of
# address space per pixel, a progressive CMYK JPEG 11.0, most others 6. And a PNG chunk has 8 MB.
_DECODING_BYTES_PER_PIXEL = 12
_DECODING_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """An image as MediaPipe wants it.

    Attributes:
        pixels: shape (height, width, 3), 8-bit RGB, upright, C-contiguous.
        format: what it was stored as.
    """

    pixels: npt.NDArray[np.uint8]
    format: ImageFormat


def decode_image(content: bytes, *, max_pixels: int) -> DecodedImage:
    """Decode an image of at most `max_pixels`, upright.

    Raises:
        ImageError: whatever `read_header` raises, and CorruptImageError when the decoder gives up.
        MemoryError: the process may not have the memory that it takes.
    """
    header = read_header(content, max_pixels=max_pixels)
    pixels = _decode(np.frombuffer(content, np.uint8, count=header.length_bytes), header)
    stored, turned = (header.height, header.width, 3), (header.width, header.height, 3)
    if pixels.shape not in (stored, turned):
        raise CorruptImageError(f"the header promises {stored}, the decoder found {pixels.shape}")
    return DecodedImage(pixels, header.format)


def _decode(encoded: npt.NDArray[np.uint8], header: ImageHeader) -> npt.NDArray[np.uint8]:
    try:
        pixels = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        # By its text: `code` is an attribute of the class, left there by whatever error was last.
        if "Insufficient memory" in str(error) or "bad_alloc" in str(error):
            raise MemoryError(str(error)) from error
        if "CV_IO_MAX_IMAGE_PIXELS" in str(error):
            raise TooManyPixelsError("more pixels than OpenCV is allowed to decode") from error
        raise CorruptImageError(f"OpenCV refuses it: {error}") from error
    if pixels is None:
        _check_memory(header)
        raise CorruptImageError(f"the {header.format} data is damaged beyond reading")
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _check_memory(header: ImageHeader) -> None:
    """Tell the two reasons for `None` apart: decoders say it of missing memory, too.

    Raises:
        MemoryError: there is not as much as the dearest decoding takes.
    """
    pixels = header.width * header.height
    np.empty(_DECODING_BYTES_PER_PIXEL * pixels + _DECODING_BYTES, np.uint8)  # never touched
