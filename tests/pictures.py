"""Small image files: valid ones of all supported kinds, and pieces of hostile ones."""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from tests import heif_files

WIDTH, HEIGHT = 96, 64
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112  # the EXIF tag

_RED, _GREEN, _BLUE, _YELLOW = (220, 40, 30), (30, 200, 60), (40, 60, 210), (230, 220, 50)


def corners(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """A picture that no rotation or flip maps to itself: each corner has its own colour."""
    pixels = np.empty((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    pixels[:top, :left], pixels[:top, left:] = _RED, _GREEN
    pixels[top:, :left], pixels[top:, left:] = _BLUE, _YELLOW
    return Image.fromarray(pixels)


def cut_out() -> Image.Image:
    """`corners` with the red corner fully transparent and the green one half transparent."""
    picture = corners().convert("RGBA")
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[: HEIGHT // 2, : WIDTH // 2], alpha[: HEIGHT // 2, WIDTH // 2 :] = 0, 128
    picture.putalpha(Image.fromarray(alpha))
    return picture


def encode(picture: Image.Image, file_format: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    """Encode a picture as a file."""
    file = BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()


def photo(file_format: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    """Encode `corners` as a file."""
    return encode(corners(), file_format, **options)


def read_with_pillow(content: bytes) -> npt.NDArray[np.uint8]:
    """Read a file with an independent decoder, as upright RGB."""
    with Image.open(BytesIO(content)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def exif(orientation: int) -> Image.Exif:
    """Return EXIF data that contains only an orientation."""
    data = Image.Exif()
    data[ORIENTATION] = orientation
    return data


def tiff(
    orientation: int, *, tag: int = ORIENTATION, kind: int = 3, count: int = 1, order: str = ">"
) -> bytes:
    """Return EXIF data without its prefix, of one entry with any tag, type and number of values."""
    value = struct.pack(order + ("I" if kind in (4, 9) else "H2x"), orientation)
    start = struct.pack(order + "IHHHI", 8, 1, tag, kind, count)
    return (b"MM\0*" if order == ">" else b"II*\0") + start + value + bytes(4)


def xmp(orientation: object, *, as_element: bool = False) -> bytes:
    """Return an XMP packet that contains only an orientation."""
    attribute = f'tiff:Orientation="{orientation}"'
    element = f"<tiff:Orientation>{orientation}</tiff:Orientation>"
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
        f"{'' if as_element else ' ' + attribute}>{element if as_element else ''}"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def png_16_bit(samples: npt.NDArray[np.uint16]) -> bytes:
    """Return a PNG with 16 bits per sample, grey or BGR(A)."""
    return bytes(cv2.imencode(".png", samples)[1])


def avif(pixels: npt.NDArray[Any] | None = None, *options: int) -> bytes:
    """Encode BGR(A) or grey pixels as AVIF with OpenCV; `corners` by default."""
    if pixels is None:
        pixels = np.asarray(corners())[:, :, ::-1]
    speed = (cv2.IMWRITE_AVIF_SPEED, 10)
    return bytes(cv2.imencode(".avif", pixels, [*speed, *options])[1])


# PNG


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    """Return one valid chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(
    width: int, height: int, *, depth: int = 8, colour: int = 2, interlace: int = 0
) -> bytes:
    """Return the IHDR chunk."""
    values = (width, height, depth, colour, 0, 0, interlace)
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", *values))


def png_of_rows(rows: Iterable[bytes], *, interlace: int = 0) -> bytes:
    """Return an 8-bit RGB picture of unfiltered rows, even if there are too few."""
    header = png_header(WIDTH, HEIGHT, interlace=interlace)
    pixels = png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return PNG_SIGNATURE + header + pixels + png_chunk(b"IEND")


def png(*extra: bytes, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Return a black 1-bit picture with additional chunks before its pixels."""
    row = bytes(1 + (width + 7) // 8)
    pixels = zlib.compressobj()
    data = b"".join(pixels.compress(row) for _ in range(height)) + pixels.flush()
    header = png_header(width, height, depth=1, colour=0)
    chunks = (header, *extra, png_chunk(b"IDAT", data), png_chunk(b"IEND"))
    return PNG_SIGNATURE + b"".join(chunks)


# JPEG


def jpeg_segment(marker: int, body: bytes) -> bytes:
    """Return one segment: marker, length, body."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg_insert(content: bytes, *segments: bytes) -> bytes:
    """Insert segments right after a JPEG's start."""
    return content[:2] + b"".join(segments) + content[2:]


def jpeg_frame(content: bytes) -> int:
    """Return the start of the frame segment: FF, marker, length (2), bits, height, width (2)."""
    return min(at for kind in range(0xC0, 0xC3) if (at := content.find(bytes((0xFF, kind)))) > 0)


def jpeg_scans(count: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated until there are `count`."""
    content = photo("JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    more = count - content.count(b"\xff\xda")
    return content[:-2] + content[last:-2] * more + content[-2:]


def jpeg_ycck() -> bytes:
    """Return `corners` as Adobe's YCCK: inverted YCbCr and a black without effect.

    Pillow doesn't support this mode. The channels are saved as CMYK, which Pillow inverts, and
    then the Adobe marker is changed to YCCK.
    """
    channels = ImageOps.invert(corners()).convert("YCbCr").split()
    black = Image.new("L", (WIDTH, HEIGHT), 0)
    picture = Image.merge("CMYK", [*map(ImageOps.invert, channels), black])
    content = encode(picture, "JPEG", quality=95, subsampling=0)
    transform = content.index(b"Adobe") + 11
    return content[:transform] + b"\x02" + content[transform + 1 :]


# WebP


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a RIFF file of these chunks, with correct lengths."""
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def webp_canvas(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    """Return a VP8X chunk."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes((flags, 0, 0, 0)) + sides


def webp_frame(content: bytes) -> tuple[bytes, bytes]:
    """Return the frame chunk of a file that contains nothing else."""
    return content[12:16], content[20 : 20 + struct.unpack_from("<I", content, 16)[0]]


def webp_animation(*frames: tuple[Image.Image, int, int], **options: Any) -> bytes:  # noqa: ANN401
    """Return an animation of frames at these positions, on a canvas of the usual size."""
    parts = []
    for picture, left, top in frames:
        content = encode(picture, "WEBP", **options)
        chunks = content[30:] if content[12:16] == b"VP8X" else content[12:]
        numbers = (left // 2, top // 2, picture.width - 1, picture.height - 1, 100)
        place = b"".join(number.to_bytes(3, "little") for number in numbers)
        parts.append((b"ANMF", place + b"\0" + chunks))
    background = b"\x20\x40\x60\xff"
    return webp(webp_canvas(WIDTH, HEIGHT, flags=0x12), (b"ANIM", background + b"\0\0"), *parts)


# BMP and GIF


def bmp(
    pixels: bytes,
    *,
    bits: int,
    width: int = WIDTH,
    height: int = HEIGHT,
    length: int = 40,
    compression: int | None = None,
    palette: bytes = b"",
    colours: int = 0,
    masks: tuple[int, ...] = (),
) -> bytes:
    """Return a BMP with a header of this length, and these pixels as stored."""
    if length == 12:
        header = struct.pack("<IHHHH", length, width, height, 1, bits)
    else:
        if compression is None:
            compression = 3 if masks else 0
        fields = (length, width, height, 1, bits, compression, len(pixels), 0, 0, colours, 0)
        header = struct.pack("<IiiHHIIiiII", *fields)[:length]
        header = (header + struct.pack(f"<{len(masks)}I", *masks)).ljust(length, b"\0")
    start = 14 + len(header) + len(palette)
    file = struct.pack("<2sIII", b"BM", start + len(pixels), 0, start)
    return file + header + palette + pixels


def bmp_rle8() -> bytes:
    """Return `corners` in four colours, with runs of equal pixels."""
    picture = corners().quantize(4)
    table = np.zeros((4, 4), np.uint8)
    table[:, 2::-1] = np.array(picture.getpalette(), np.uint8)[:12].reshape(4, 3)
    half = WIDTH // 2
    rows = (
        bytes((half, row[0], half, row[-1], 0, 0)) for row in np.asarray(picture)[::-1].tolist()
    )
    pixels = b"".join(rows) + b"\0\1"
    return bmp(pixels, bits=8, palette=table.tobytes(), colours=4, compression=1)


def gif(
    pixels: bytes,
    *blocks: bytes,
    width: int = WIDTH,
    height: int = HEIGHT,
    frame: tuple[int, int, int, int] = (0, 0, WIDTH, HEIGHT),
    table: bytes = b"",
    background: int = 0,
) -> bytes:
    """Return a GIF with one frame of encoded pixels, which start with the length of a code.

    The table has no, 4 or 256 colours; the blocks come before the frame.
    """
    flags = 0x80 | (7 if len(table) > 12 else 1) if table else 0
    screen = struct.pack("<6sHHBBB", b"GIF89a", width, height, flags, background, 0) + table
    image = b"," + struct.pack("<HHHHB", *frame, 0)
    return screen + b"".join(blocks) + image + pixels[:1] + gif_blocks(pixels[1:]) + b";"


def gif_blocks(data: bytes) -> bytes:
    """Return data in blocks of at most 255 bytes, and the empty one that ends them."""
    pieces = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(bytes((len(piece),)) + piece for piece in [*pieces, b""])


def gif_codes(codes: Iterable[int], bits: int) -> bytes:
    """Return codes of the same length, as pixels for `gif`."""
    packed = sum(code << number * bits for number, code in enumerate(codes))
    return bytes((bits - 1,)) + packed.to_bytes(packed.bit_length() // 8 + 1, "little")


def gif_flat(colours: Iterable[int]) -> bytes:
    """Return pixels of up to 4 colours, with a clear code before each, so that no code grows."""
    return gif_codes([code for colour in colours for code in (4, colour)] + [5], bits=3)


# TIFF

TiffValue = int | tuple[int, ...] | bytes

STRIPS, STRIP_BYTES, TILES = 273, 279, 324


def tiff_file(pixels: bytes, entries: dict[int, TiffValue], *, order: str = "<") -> bytes:
    """Return a TIFF of these entries, and of one strip if they name no tiles.

    Numbers are written as LONG, bytes as UNDEFINED. The pixels come last, after the values.
    """
    if TILES not in entries:
        entries = {STRIPS: 0, STRIP_BYTES: len(pixels), **entries}
    at = 8 + 2 + 12 * len(entries) + 4
    packed = {tag: _tiff_value(value, order) for tag, value in entries.items()}
    start = at + sum(len(data) for _, _, data in packed.values() if len(data) > 4)
    if entries.get(STRIPS) == 0:
        packed[STRIPS] = _tiff_value(start, order)
    head, values = struct.pack(order + "H", len(entries)), b""
    for tag, (kind, count, data) in sorted(packed.items()):
        inline = data.ljust(4, b"\0")
        if len(data) > 4:
            inline = struct.pack(order + "I", at + len(values))
            values += data
        head += struct.pack(order + "HHI4s", tag, kind, count, inline)
    magic = b"II" if order == "<" else b"MM"
    return magic + struct.pack(order + "HI", 42, 8) + head + bytes(4) + values + pixels


def _tiff_value(value: TiffValue, order: str) -> tuple[int, int, bytes]:
    if isinstance(value, bytes):
        return 7, len(value), value
    numbers = value if isinstance(value, tuple) else (value,)
    return 4, len(numbers), struct.pack(f"{order}{len(numbers)}I", *numbers)


def tiff_rgb(**options: TiffValue) -> bytes:
    """Return `corners` as an uncompressed TIFF; options are entries, named `tag_262`."""
    entries: dict[int, TiffValue] = {
        256: WIDTH,
        257: HEIGHT,
        258: (8, 8, 8),
        259: 1,
        262: 2,
        277: 3,
    }
    changed = {int(name.removeprefix("tag_")): value for name, value in options.items()}
    return tiff_file(corners().tobytes(), entries | changed)


def tiff_jpeg(content: bytes, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Return a TIFF whose only strip is a JPEG file."""
    entries: dict[int, TiffValue] = {256: width, 257: height, 258: (8, 8, 8), 259: 7, 262: 6}
    return tiff_file(content, entries | {277: 3, 530: (2, 2)})


# Mutants


def specimens() -> list[bytes]:
    """Return a valid file for each different structure."""
    picture, grey = corners(), corners().convert("L")
    frame = webp_frame(photo("WEBP"))
    return [
        photo("JPEG", exif=exif(6)),
        photo("JPEG", progressive=True, exif=exif(8)),
        encode(grey, "JPEG", restart_marker_blocks=2),
        encode(picture.convert("CMYK"), "JPEG"),
        photo("PNG", exif=exif(5)),
        encode(picture.quantize(16), "PNG", transparency=0),
        encode(cut_out(), "PNG", icc_profile=b"not a profile"),
        png_16_bit(np.asarray(grey, np.uint16) * 257),
        photo("WEBP"),
        photo("WEBP", lossless=True),
        encode(cut_out(), "WEBP", exif=exif(6)),
        encode(cut_out(), "WEBP", lossless=True),
        encode(picture, "PNG", save_all=True, append_images=[cut_out()], default_image=True),
        webp_animation((cut_out().resize((40, 30)), 20, 14), (picture, 0, 0)),
        webp(webp_canvas(WIDTH, HEIGHT, flags=0x0C), frame, (b"EXIF", tiff(6)), (b"XMP ", xmp(3))),
        photo("BMP"),
        encode(picture.quantize(16), "BMP"),
        bmp_rle8(),
        encode(picture.quantize(16), "GIF", comment=b"corners")[:-1],  # the end mark is optional
        gif(gif_flat([0, 1, 2, 3] * 16), frame=(1, 2, 8, 8), table=bytes(range(12)))[:-1],
        *(heif_files.sample(name) for name in ("corners", "corners-10-bit", "corners-grey")),
        heif_files.grid([heif_files.item(heif_files.sample("red"))] * 4, 2, 120, 100),
        avif(),
        encode(cut_out(), "AVIF", exif=exif(6), speed=10),
        tiff_rgb(tag_274=6),
        tiff_file(zlib.compress(bytes(6144)), {256: 96, 257: 64, 258: 8, 259: 8, 262: 1, 317: 2}),
        tiff_jpeg(photo("JPEG")),
    ]


def mutants(seed: int, count: int, sound: Sequence[bytes] = ()) -> Iterator[bytes]:
    """Yield damaged files: bytes changed, removed or duplicated, or the end missing.

    Args:
        seed: equal seeds give equal files.
        count: how many.
        sound: the files to damage, `specimens()` by default.
    """
    random = np.random.default_rng(seed)
    sound = sound or specimens()
    for number in range(count):
        content = bytearray(sound[number % len(sound)])
        for _ in range(random.integers(1, 6)):
            reach = random.choice((64, len(content)))
            at = int(random.integers(2, max(3, min(reach, len(content)))))
            size = int(random.integers(1, 20))
            match random.integers(0, 7):
                case 0:
                    del content[at : at + size]
                case 1:
                    content[at:at] = content[at : at + size]
                case 2:
                    content[at : at + size] = random.bytes(size)
                case 3:
                    content[at : at + 2] = bytes((0xFF, int(random.integers(0xC0, 0xFF))))
                case 4 if content.startswith(b"\xff\xd8") and at > len(content) // 4:
                    del content[at:]
                case _:
                    content[at : at + 1] = bytes((int(random.choice((0, 1, 127, 128, 255))),))
        yield _with_checksums(content) if content.startswith(PNG_SIGNATURE) else bytes(content)


def _with_checksums(content: bytearray) -> bytes:
    """Return the PNG with corrected checksums, so that libpng doesn't stop at them."""
    start = len(PNG_SIGNATURE)
    while start + 12 <= len(content):
        end = start + 8 + int.from_bytes(content[start : start + 4], "big")
        if end + 4 > len(content):
            break
        content[end : end + 4] = struct.pack(">I", zlib.crc32(content[start + 4 : end]))
        start = end + 4
    return bytes(content)
