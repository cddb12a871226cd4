"""AV1: walks over the units (OBUs) of an image, to its number of frames and their size.

libavif decodes all frames of an image, whatever size the file says, and scales what it returns.
"""

from landmarks.errors import CorruptImageError, UnsupportedFormatError

_SEQUENCE_HEADER = 1
_FRAMES = frozenset({3, 6})  # a frame's header alone, or with its data

MAX_UNITS = 1024  # a frame's tiles may be units of their own
MAX_FRAMES = 4  # as many layers as an image may have

# A first operating point above level 5.1 has a flag for its tier.
_MAX_LEVEL_WITHOUT_TIER = 7


def check_frames(data: bytes, max_pixels: int) -> None:
    """Check what a decoder would allocate and decode.

    Raises:
        CorruptImageError: the frames are larger than this, or the data end too early.
        UnsupportedFormatError: there are too many frames.
    """
    at = frames = 0
    for _ in range(MAX_UNITS):
        if at >= len(data):
            return
        header = data[at]
        at += 2 if header & 4 else 1  # an extension
        size = len(data) - at
        if header & 2:
            size, at = _leb128(data, at)
        kind = header >> 3 & 15
        if kind == _SEQUENCE_HEADER:
            width, height = _frame_size(data[at : at + min(size, 64)])
            if width * height > max_pixels:
                raise CorruptImageError(
                    f"the AVIF file's frames have {width} x {height} pixels, more than its image"
                )
        frames += kind in _FRAMES
        if frames > MAX_FRAMES:
            raise UnsupportedFormatError(f"the AVIF image has more than {MAX_FRAMES} frames")
        at += size
    raise UnsupportedFormatError(f"the AVIF image has more than {MAX_UNITS} units")


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of up to 8 bytes, 7 bits each, and the position after it."""
    number = 0
    for count, byte in enumerate(data[at : at + 8]):
        number |= (byte & 0x7F) << 7 * count
        if byte < 0x80:  # noqa: PLR2004 - no further byte
            return number, at + count + 1
    raise CorruptImageError("the AVIF image ends within a unit's size")


class _Bits:
    """Reads numbers of any number of bits; zeros follow the end."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data)
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        """Return the next number."""
        self._left -= count
        bits = self._bits >> self._left if self._left >= 0 else 0
        return bits & ((1 << count) - 1)


def _frame_size(header: bytes) -> tuple[int, int]:
    """Return the largest frame that a sequence header allows."""
    bits = _Bits(header)
    bits.take(4)  # profile, whether it is a still picture
    if bits.take(1):  # a short header
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def _skip_operating_points(bits: _Bits) -> None:
    if bits.take(1):
        raise UnsupportedFormatError("AVIF with the timing of a video is not supported")
    has_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > _MAX_LEVEL_WITHOUT_TIER:
            bits.take(1)
        if has_delay and bits.take(1):
            bits.take(4)
