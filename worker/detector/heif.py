"""Decodes HEIF with libheif, through its C interface. Runs in the child process.

pi-heif brings libheif. Its own Python modules import Pillow, which the Lambda image lacks, open
every image in the file, and can't tell a lack of memory from damage.
"""

import ctypes
import importlib.util
from contextlib import ExitStack
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint8, c_uint64, c_void_p
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from landmarks.errors import CorruptImageError, UnsupportedFormatError

# pi-heif's extension module, which is linked to libheif wherever the wheel keeps it.
_MODULE: Final = "_pi_heif"

# libheif/heif_image.h
_RGB: Final = 1
_INTERLEAVED_RGB: Final = 10
_INTERLEAVED: Final = 10

# HEVC pads images to whole blocks.
_BLOCK: Final = 64

# libheif/heif_error.h
_UNSUPPORTED: Final = (3, 4, 11)  # file type, feature, no plugin for the codec
# A failed allocation. With a detail, it is a size of zero or an exceeded limit.
_OUT_OF_MEMORY: Final = (6, 0)


class _Handle(c_void_p):
    """A pointer that ctypes doesn't turn into a number."""


class _Error(ctypes.Structure):
    _fields_ = (("code", c_int), ("detail", c_int), ("message", c_char_p))


class _Limits(ctypes.Structure):
    """The start of heif_security_limits."""

    _fields_ = (("version", c_uint8), ("max_image_size_pixels", c_uint64))


class _Options(ctypes.Structure):
    """The start of heif_decoding_options."""

    _fields_ = (
        ("version", c_uint8),
        ("ignore_transformations", c_uint8),
        ("callbacks", c_void_p * 4),
        ("convert_hdr_to_8bit", c_uint8),
        ("strict_decoding", c_uint8),
    )


_RESULTS: Final = {
    "heif_context_alloc": _Handle,
    "heif_context_free": None,
    "heif_context_get_security_limits": ctypes.POINTER(_Limits),
    "heif_context_set_max_decoding_threads": None,
    "heif_context_read_from_memory_without_copy": _Error,
    "heif_context_get_primary_image_handle": _Error,
    "heif_image_handle_release": None,
    "heif_decoding_options_alloc": ctypes.POINTER(_Options),
    "heif_decoding_options_free": None,
    "heif_decode_image": _Error,
    "heif_image_get_width": c_int,
    "heif_image_get_height": c_int,
    "heif_image_get_plane_readonly": _Handle,
    "heif_image_release": None,
}


@cache
def load_library() -> ctypes.CDLL:
    """Load libheif. A confined process can't, so it has to do this before.

    Raises:
        UnsupportedFormatError: pi-heif is not installed.
    """
    module = importlib.util.find_spec(_MODULE)
    if module is None or module.origin is None:
        raise UnsupportedFormatError(
            "HEIF needs pi-heif, which is not installed: pip install pi-heif"
        )
    library = ctypes.CDLL(module.origin)
    for name, result in _RESULTS.items():
        getattr(library, name).restype = result
    return library


def decode(content: bytes, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Decode the primary image, cropped and upright.

    Args:
        content: the file; its structure has been checked.
        width: the image's width according to the file, in pixels, before cropping and turning.
        height: the same for its height. libheif rejects more, whatever the codec's data say.

    Returns:
        shape (rows, columns, 3), 8-bit RGB, C-contiguous.

    Raises:
        CorruptImageError: the data are damaged.
        UnsupportedFormatError: libheif is missing or doesn't support a feature.
        MemoryError: decoding needs more memory than the process may use.
    """
    heif = load_library()
    with ExitStack() as cleanup:
        context = heif.heif_context_alloc()
        cleanup.callback(heif.heif_context_free, context)
        heif.heif_context_get_security_limits(context)[0].max_image_size_pixels = (
            width + _BLOCK
        ) * (height + _BLOCK)
        # Tiles are decoded in this thread: there is one detector per vCPU.
        heif.heif_context_set_max_decoding_threads(context, 0)
        read = heif.heif_context_read_from_memory_without_copy
        _check(read(context, content, c_size_t(len(content)), None))
        primary, image = _Handle(), _Handle()
        _check(heif.heif_context_get_primary_image_handle(context, byref(primary)))
        cleanup.callback(heif.heif_image_handle_release, primary)
        options = heif.heif_decoding_options_alloc()
        cleanup.callback(heif.heif_decoding_options_free, options)
        options[0].convert_hdr_to_8bit = 1
        options[0].strict_decoding = 1  # or a tile that can't be decoded would be left black
        _check(heif.heif_decode_image(primary, byref(image), _RGB, _INTERLEAVED_RGB, options))
        cleanup.callback(heif.heif_image_release, image)
        return _pixels(heif, image)


def _pixels(heif: ctypes.CDLL, image: _Handle) -> npt.NDArray[np.uint8]:
    width = heif.heif_image_get_width(image, _INTERLEAVED)
    height = heif.heif_image_get_height(image, _INTERLEAVED)
    stride = c_int()
    plane = heif.heif_image_get_plane_readonly(image, _INTERLEAVED, byref(stride))
    if not plane:
        raise MemoryError("libheif returned no pixels")
    rows = np.frombuffer((c_uint8 * (height * stride.value)).from_address(plane.value), np.uint8)
    return rows.reshape(height, -1)[:, : 3 * width].copy().reshape(height, width, 3)


def _check(error: _Error) -> None:
    if error.code == 0:
        return
    message = (error.message or b"").decode(errors="replace").strip()
    if (error.code, error.detail) == _OUT_OF_MEMORY:
        raise MemoryError(message)
    if error.code in _UNSUPPORTED:
        raise UnsupportedFormatError(f"libheif: {message}")
    raise CorruptImageError(f"libheif rejected the image: {message}")
