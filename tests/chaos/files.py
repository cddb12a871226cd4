"""The files of a run: photographs, hostile files, and images that make the detector misbehave.

A recipe makes a file and knows its expected result. No two files of a run are equal: a comment in
each changes its ETag and none of its pixels.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import skimage.data
from PIL import Image, ImageEnhance, ImageOps

from tests import pictures

MAX_IMAGE_BYTES: Final = 2_000_000

# What `saboteur.py` looks for in an image: mark, action, when to act, number.
MARK: Final = b"chaos-mark"
ALWAYS: Final = "always"
ONCE: Final = "once"

PEOPLE: Final = 30
NOBODIES: Final = 6
LARGE: Final = 3
GROUPS: Final = (2, 3)

# Eileen Collins from the waist up, 512 pixels square.
_ASTRONAUT: Final[Callable[[], Any]] = skimage.data.astronaut

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF")
_TURNED_FORMATS: Final = frozenset({"JPEG", "PNG"})  # these OpenCV turns for the expected result
_TURNS: Final[Mapping[int, Image.Transpose]] = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}

_CRASHED, _TIMEOUT = "DETECTOR_CRASHED", "DETECTOR_TIMEOUT"

# What an image does to the detector, and the expected error codes. The harness may kill or stop the
# detector at the same moment, so these two codes are always right.
ACTIONS: Final[Mapping[str, frozenset[str]]] = {
    action: frozenset({*codes, _CRASHED, _TIMEOUT})
    for action, codes in {
        "segfault": (),
        "abort": (),
        "exit": (),
        "close": (),
        "raise": (),
        "spawn": (),
        "spin": (),
        "freeze": (),
        "stop": (),
        "hoard": ("DETECTOR_OUT_OF_MEMORY",),
        "babble": ("DETECTOR_INVALID_ANSWER",),
    }.items()
}


@dataclass(frozen=True, slots=True)
class Content:
    """One content of an object.

    Attributes:
        recipe: its name in `RECIPES`.
        number: unique in a run.
    """

    recipe: str
    number: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a file is made, and its expected result.

    Attributes:
        make: the file, without its comment.
        codes: expected error codes; empty for a valid picture.
        picture: the recipe that has the expected landmarks.
        people: how many people a picture with landmarks shows.
        action: what the image does to the detector, if anything.
        tries: when it does so, `ALWAYS` or `ONCE`.
        storage_class: S3's; archived files can't be read.
    """

    make: Callable[[], bytes]
    codes: frozenset[str] = frozenset()
    picture: str = ""
    people: int = 1
    action: str = ""
    tries: str = ALWAYS
    storage_class: str = "STANDARD"


@cache
def bare(recipe: str) -> bytes:
    """The file of a recipe, without its comment."""
    return RECIPES[recipe].make()


def build(content: Content) -> bytes:
    """The file of a content."""
    recipe = RECIPES[content.recipe]
    note = f"number {content.number}".encode()
    if recipe.action:
        parts = (recipe.action.encode(), recipe.tries.encode(), b"%d" % content.number)
        note = b":".join((MARK, *parts, b""))
    return _with_note(bare(content.recipe), note)


def etag(content: Content) -> str:
    """The ETag of a content."""
    return hashlib.md5(build(content), usedforsecurity=False).hexdigest()


def _with_note(content: bytes, note: bytes) -> bytes:
    """The same file with a comment in it."""
    if content.startswith(b"\xff\xd8"):
        return pictures.jpeg_insert(content, pictures.jpeg_segment(0xFE, note))
    if content.startswith(pictures.PNG_SIGNATURE) and len(content) > 33:
        return content[:33] + pictures.png_chunk(b"tEXt", b"Comment\0" + note) + content[33:]
    # No decoder sees it, so a picture of this kind cannot carry a mark.
    return content + note if content else content


# Pictures


def _person(number: int) -> bytes:
    """The astronaut, with varying crop, size, brightness, format and orientation."""
    side = 400 + 16 * (number % 7)
    left, top = (number * 37) % (513 - side), (number * 11) % (513 - side) // 2
    cut = Image.fromarray(_ASTRONAUT()).crop((left, top, left + side, top + side))
    size = 224 + 16 * (number % 5)
    picture = ImageEnhance.Brightness(cut.resize((size, size + 8))).enhance(0.8 + number / 75)
    round_, place = divmod(number, len(_FORMATS))
    file_format = _FORMATS[place]
    if round_ % 2 and file_format in _TURNED_FORMATS:
        orientation = tuple(_TURNS)[(place + round_ // 2) % len(_TURNS)]
        turned = picture.transpose(_TURNS[orientation])
        return pictures.encode(turned, file_format, exif=pictures.exif(orientation))
    return pictures.encode(picture, file_format)


def _large(number: int) -> bytes:
    """The astronaut at 2 to 3 megapixels: more memory than a starved detector has."""
    side = 1400 + 150 * number
    return pictures.encode(Image.fromarray(_ASTRONAUT()).resize((side, side)), "JPEG")


def _group(people: int) -> bytes:
    """The astronaut several times, each smaller than the one before and facing the other way."""
    one = Image.fromarray(_ASTRONAUT())
    picture = Image.new("RGB", (320 * people, 330), (200, 195, 190))
    for place in range(people):
        side = 300 - 30 * place
        person = (one, ImageOps.mirror(one))[place % 2].resize((side, side))
        picture.paste(person, (320 * place + 10, 330 - side))
    return pictures.encode(picture, "JPEG")


def _nobody(number: int) -> bytes:
    """A small picture of four colours."""
    return pictures.encode(pictures.corners(96 + number, 64), "PNG")


# Hostile files


def _padded() -> bytes:
    """A JPEG with a megabyte of padding before its first segment."""
    content = bare("person-0")
    return content[:2] + b"\xff" * 1_000_000 + content[2:]


def _lying_png() -> bytes:
    """A PNG whose pixels claim two gigabytes more than there are."""
    content = pictures.png()
    at = content.index(b"IDAT")
    return content[: at - 4] + (0x7FFFFFF0).to_bytes(4, "big") + content[at:]


def _wrong_checksum() -> bytes:
    content = pictures.png()
    at = content.index(b"IDAT")
    return content[: at + 6] + bytes((content[at + 6] ^ 0x10,)) + content[at + 7 :]


def _text_bomb() -> bytes:
    """A PNG with a hundred compressed texts of 8 MB each."""
    text = pictures.png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(8_000_000), 9))
    return pictures.png(*[text] * 100)


def _huge_jpeg() -> bytes:
    """A small JPEG that claims 32,000 pixels square."""
    content = bytearray(pictures.photo("JPEG"))
    at = pictures.jpeg_frame(bytes(content)) + 5
    content[at : at + 4] = (32_000).to_bytes(2, "big") * 2
    return bytes(content)


def _jpeg_2000() -> bytes:
    """A JPEG 2000 with one bit flipped."""
    content = bytearray(pictures.photo("JPEG2000"))
    content[len(content) // 2] ^= 1
    return bytes(content)


def _smeared() -> bytes:
    """A JPEG damaged in its data: no decoder fails, and all decode it alike."""
    content = bytearray(bare("person-12"))
    content[len(content) // 2 : len(content) // 2 + 8] = bytes(8)
    return bytes(content)


def _heic() -> bytes:
    """The four colours of "nobody-0"; nothing here can write HEIC."""
    return (Path(pictures.__file__).parent / "heif" / "corners.heic").read_bytes()


def _animated(file_format: str) -> bytes:
    person = Image.fromarray(_ASTRONAUT()).resize((224, 232))
    frames = [person, person.rotate(180)]
    return pictures.encode(frames[0], file_format, save_all=True, append_images=frames[1:])


def _cut(file_format: str) -> Callable[[], bytes]:
    return lambda: pictures.photo(file_format)[:-40]


def _plain(content: bytes) -> Callable[[], bytes]:
    return lambda: content


_HOSTILE: Final[Mapping[str, tuple[Callable[[], bytes], str]]] = {
    "empty": (_plain(b""), "NOT_AN_IMAGE"),
    "text": (_plain(b"<html>404 Not Found</html>"), "NOT_AN_IMAGE"),
    "zeros": (_plain(bytes(100_000)), "NOT_AN_IMAGE"),
    "padding": (_plain(b"\xff" * 1_000_000), "NOT_AN_IMAGE"),
    "many-bytes": (_plain(b"\xff\xd8\xff" + bytes(MAX_IMAGE_BYTES)), "TOO_MANY_BYTES"),
    "lying-png": (_lying_png, "CORRUPT_IMAGE"),
    "wrong-checksum": (_wrong_checksum, "CORRUPT_IMAGE"),
    "cut-png": (_cut("PNG"), "CORRUPT_IMAGE"),
    "cut-webp": (_cut("WEBP"), "CORRUPT_IMAGE"),
    "text-bomb": (_text_bomb, "UNSUPPORTED_FORMAT"),
    "pixel-bomb": (lambda: pictures.png(width=30_000, height=30_000), "TOO_MANY_PIXELS"),
    "square-bomb": (lambda: pictures.png(width=12_000, height=12_000), "TOO_MANY_PIXELS"),
    "huge-jpeg": (_huge_jpeg, "TOO_MANY_PIXELS"),
    "scans": (lambda: pictures.jpeg_scans(1_000), "UNSUPPORTED_FORMAT"),
    "jpeg-2000": (_jpeg_2000, "UNSUPPORTED_FORMAT"),
    "cut-gif": (_cut("GIF"), "CORRUPT_IMAGE"),
    "cut-bmp": (_cut("BMP"), "CORRUPT_IMAGE"),
    "cut-avif": (_cut("AVIF"), "CORRUPT_IMAGE"),
    "cut-heic": (lambda: _heic()[:-40], "CORRUPT_IMAGE"),
    "cut-tiff": (_cut("TIFF"), "CORRUPT_IMAGE"),
    "tiny": (lambda: pictures.encode(pictures.corners(24, 24), "PNG"), "TOO_SMALL"),
}


# Valid in an unusual way: the expected landmarks are their own.
ODD: Final[Mapping[str, Callable[[], bytes]]] = {
    "smeared": _smeared,
    "cut-jpeg": lambda: bare("person-12")[:-2000],
    "animated-png": lambda: _animated("PNG"),
    "animated-webp": lambda: _animated("WEBP"),
    "animated-gif": lambda: _animated("GIF"),
    "bmp": lambda: pictures.encode(Image.fromarray(_ASTRONAUT()), "BMP"),
}


def _recipes() -> Iterable[tuple[str, Recipe]]:
    for number in range(PEOPLE):
        yield f"person-{number}", Recipe(partial(_person, number), picture=f"person-{number}")
    for number in range(NOBODIES):
        yield f"nobody-{number}", Recipe(partial(_nobody, number), picture=f"nobody-{number}")
    for number in range(LARGE):
        yield f"large-{number}", Recipe(partial(_large, number), picture=f"large-{number}")
    for people in GROUPS:
        name = f"group-{people}"
        yield name, Recipe(partial(_group, people), picture=name, people=people)
    yield "padded", Recipe(_padded, picture="person-0")
    yield "trailed", Recipe(lambda: bare("person-1") + bytes(1_000_000), picture="person-1")
    yield "heic", Recipe(_heic, picture="nobody-0")
    for name, make in ODD.items():
        yield name, Recipe(make, picture=name)
    for name, (make, code) in _HOSTILE.items():
        yield f"hostile-{name}", Recipe(make, codes=frozenset({code}))
    archived = frozenset({"OBJECT_ARCHIVED"})
    for place, name in enumerate(("GLACIER", "DEEP_ARCHIVE")):
        yield f"hostile-{name}", Recipe(partial(_nobody, place), archived, storage_class=name)
    for action, codes in ACTIONS.items():
        yield f"provoke-{action}", Recipe(partial(_nobody, 0), codes=codes, action=action)
        flaky = Recipe(lambda: bare("person-0"), picture="person-0", action=action, tries=ONCE)
        yield f"flaky-{action}", flaky


RECIPES: Final[Mapping[str, Recipe]] = dict(_recipes())


def names(prefix: str) -> list[str]:
    """The recipes with this prefix, in the order of `RECIPES`."""
    return [name for name in RECIPES if name.startswith(prefix)]
