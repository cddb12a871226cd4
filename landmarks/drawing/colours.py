"""The colours of drawings, on overlays and in the report."""

from typing import Final, NamedTuple

Colour = tuple[int, int, int]

LEFT: Final[Colour] = (255, 149, 0)
RIGHT: Final[Colour] = (0, 199, 255)
MIDDLE: Final[Colour] = (245, 245, 245)
HAND: Final[dict[str, Colour]] = {
    "palm": (235, 235, 235),
    "thumb": (255, 92, 92),
    "index": (255, 202, 58),
    "middle": (120, 214, 75),
    "ring": (64, 156, 255),
    "pinky": (199, 125, 255),
}
FACE: Final[dict[str, Colour]] = {
    "oval": (255, 255, 255),
    "brows": (255, 202, 58),
    "eyes": (125, 249, 198),
    "lips": (255, 99, 132),
}
IRISES: Final[Colour] = (0, 229, 255)
MESH: Final[Colour] = (215, 245, 255)
HALO: Final[Colour] = (15, 15, 20)
BOX: Final[Colour] = (255, 255, 255)

# Everyone but the first person. Any two of these, LEFT, RIGHT and HALO are at least 0.07 apart in
# OKLab, with normal vision and with each kind of colour blindness; 0.02 is just visible.
OTHERS: Final[tuple[Colour, ...]] = (
    (0, 150, 135),
    (210, 0, 255),
    (255, 15, 15),
    (210, 150, 195),
    (180, 255, 15),
    (240, 180, 195),
    (120, 255, 180),
    (165, 135, 255),
    (150, 225, 120),
    (165, 105, 210),
    (75, 180, 135),
    (240, 210, 255),
    (135, 195, 105),
    (180, 105, 90),
    (195, 120, 180),
)


class Palette(NamedTuple):
    """The colours of one person's body, and of the oval around the face."""

    left: Colour
    right: Colour
    middle: Colour
    oval: Colour


def palette_of(number: int) -> Palette:
    """Return the colours of a person; the first person is number 0."""
    if number == 0:
        return Palette(LEFT, RIGHT, MIDDLE, FACE["oval"])
    colour = OTHERS[(number - 1) % len(OTHERS)]
    return Palette(colour, colour, colour, colour)
