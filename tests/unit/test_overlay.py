"""Overlays draw landmarks in the right places, and file names stay inside the folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from landmarks.drawing.canvas import MAX_SIDE_PIXELS, draw_overlay, save_overlay
from landmarks.drawing.colours import FACE, HALO, HAND, IRISES, LEFT, OTHERS, RIGHT
from landmarks.drawing.topology import load_topology
from landmarks.groups import FloatArray, Landmarks
from landmarks.local.demo_run import SOFTWARE, overlay_names, prepared_files

TOPOLOGY = load_topology()
GREY = (90, 90, 90)

Pixels = npt.NDArray[np.uint8]


def photo(width: int = 1300, height: int = 1300) -> Image.Image:
    """Return a grey photo, by default one that is not resized, with a green quarter."""
    picture = Image.new("RGB", (width, height), GREY)
    picture.paste((0, 120, 0), (0, 0, width // 2, height // 2))
    return picture


def draw(*people: Landmarks, picture: Image.Image | None = None, boxes: bool = False) -> Pixels:
    """Return the overlay's pixels: shape (height, width, 3)."""
    return np.asarray(draw_overlay(picture or photo(), *people, boxes=boxes))


def grid(points: int, columns: int = 3) -> FloatArray:
    """Return landmarks spread evenly over the picture."""
    side = int(np.ceil(np.sqrt(points)))
    rows = np.zeros((points, columns), np.float32)
    rows[:, 0] = (np.arange(points) % side + 0.5) / side
    rows[:, 1] = (np.arange(points) // side + 0.5) / side
    return rows


def pose(visibility: float = 1.0) -> FloatArray:
    """Return a pose spread like `grid`."""
    rows = grid(33, columns=4)
    rows[:, 3] = visibility
    return rows


def at(pixels: Pixels, point: FloatArray) -> tuple[int, ...]:
    """Return the colour at a landmark."""
    height, width = pixels.shape[:2]
    return tuple(pixels[int(point[1] * height), int(point[0] * width)].tolist())


def between(pixels: Pixels, points: FloatArray, edge: tuple[int, int]) -> tuple[int, ...]:
    """Return the colour in the middle of a line."""
    return at(pixels, (points[edge[0]] + points[edge[1]]) / 2)


def test_every_hand_landmark_is_a_dot_in_its_sides_colour() -> None:
    """Each hand landmark is a dot at the right pixels."""
    points = grid(21)
    left = draw(Landmarks(left_hand_landmarks=points))
    right = draw(Landmarks(right_hand_landmarks=points))
    assert {at(left, point) for point in points} == {LEFT}
    assert {at(right, point) for point in points} == {RIGHT}


def test_every_finger_has_its_own_colour() -> None:
    """The line to each fingertip has the finger's colour."""
    points = np.zeros((21, 3), np.float32)
    points[:, :2] = 0.05  # all knuckles in one corner
    tips = {"thumb": 4, "index": 8, "middle": 12, "ring": 16, "pinky": 20}
    for number, tip in enumerate(tips.values()):
        points[tip, :2] = 0.9, 0.1 + 0.2 * number
    pixels = draw(Landmarks(right_hand_landmarks=points))
    assert {finger: between(pixels, points, (tip - 1, tip)) for finger, tip in tips.items()} == {
        finger: HAND[finger] for finger in tips
    }


def test_left_and_right_of_the_body_differ() -> None:
    """Joints and bones have their side's colour."""
    points = pose()
    pixels = draw(Landmarks(pose_landmarks=points))
    assert {at(pixels, points[joint]) for joint in (11, 13, 15, 23, 25, 27, 31)} == {LEFT}
    assert {at(pixels, points[joint]) for joint in (12, 14, 16, 24, 26, 28, 32)} == {RIGHT}


def test_what_the_model_guesses_is_drawn_faintly() -> None:
    """Bones between joints of low visibility are much fainter than visible ones."""
    points = np.zeros((33, 4), np.float32)
    points[[11, 13], :2] = (0.2, 0.7), (0.8, 0.7)
    guessed = draw(Landmarks(pose_landmarks=points))
    points[[11, 13], 3] = 1
    clear = draw(Landmarks(pose_landmarks=points))
    middle = between(guessed, points, (11, 13))
    assert between(clear, points, (11, 13)) == LEFT
    assert GREY[0] + 20 < middle[0] < LEFT[0] - 50
    assert at(clear, points[11]) == LEFT != at(guessed, points[11])


ASIDE = np.full((468, 3), 0.01, np.float32)


@pytest.mark.parametrize(
    ("found", "replaced", "kept"),
    [
        (Landmarks(face_landmarks=ASIDE), 0, 11),
        (Landmarks(left_hand_landmarks=ASIDE[:21]), 19, 20),
        (Landmarks(right_hand_landmarks=ASIDE[:21]), 20, 19),
    ],
    ids=["face", "left hand", "right hand"],
)
def test_better_landmarks_replace_the_poses_own(found: Landmarks, replaced: int, kept: int) -> None:
    """Face and hand landmarks replace the pose's coarser ones."""
    rows = pose()
    rows[:, :2] = 0.5
    rows[[replaced, kept], :2] = (0.25, 0.75), (0.75, 0.25)
    rows[[27, 28], :2] = (0.1, 0.1), (0.9, 0.9)  # included in the box
    pixels = draw(replace(found, pose_landmarks=rows))
    assert at(pixels, rows[replaced]) == GREY
    assert at(pixels, rows[kept]) != GREY


def test_a_refined_face_has_irises() -> None:
    """Only refined faces have irises."""
    points = grid(478)
    ring = TOPOLOGY.irises[0]
    refined = draw(Landmarks(face_landmarks=points))
    assert between(refined, points, ring) == IRISES
    assert between(draw(Landmarks(face_landmarks=points[:468])), points, ring) != IRISES


def test_a_face_has_its_features() -> None:
    """Eyes, brows, lips and oval have their colours, on a fainter mesh."""
    points = np.full((468, 3), 0.05, np.float32)
    for part, edges in TOPOLOGY.face.items():
        points[list(edges[0]), :2] = (0.2, 0.5), (0.8, 0.5)
        red, green, blue = between(draw(Landmarks(face_landmarks=points)), points, edges[0])
        expected = np.array(FACE[part])
        assert np.abs(expected - (red, green, blue)).max() < 40, part
        points[:, :2] = 0.05


@pytest.mark.parametrize(
    ("decoded", "drawn"),
    [
        ((1600, 1200), (1600, 1200)),
        ((1500, 500), (1500, 500)),
        ((640, 480), (1280, 960)),
        ((64, 100), (256, 400)),
        ((1600, 1), (1600, 1)),
    ],
)
def test_drawings_have_a_size_to_look_at(decoded: tuple[int, int], drawn: tuple[int, int]) -> None:
    """Small photos are scaled up, at most four times."""
    pixels = draw(Landmarks(left_hand_landmarks=grid(21)), picture=photo(*decoded))
    assert pixels.shape[1::-1] == drawn
    assert max(drawn) <= MAX_SIDE_PIXELS


def test_landmarks_outside_the_photo_are_no_error() -> None:
    """MediaPipe guesses legs below the picture; only what is inside is drawn."""
    rows = pose()
    rows[25:, 1] += 5
    rows[0, :2] = -3
    pixels = draw(Landmarks(pose_landmarks=rows))
    assert at(pixels, rows[11]) == LEFT


def small_pose(left: float, top: float, side: float = 0.2) -> FloatArray:
    """Return a visible pose in a square of the picture."""
    rows = pose()
    rows[:, :2] = rows[:, :2] * side + (left, top)
    return rows


def test_everyone_has_a_colour() -> None:
    """The first person's sides keep theirs; joints of everyone else are in one colour each."""
    people = [small_pose(number % 4 / 4, number // 4 / 4) for number in range(16)]
    pixels = draw(*(Landmarks(pose_landmarks=rows) for rows in people))

    drawn = [{at(pixels, rows[joint]) for joint in range(11, 33)} for rows in people]

    assert drawn[0] == {LEFT, RIGHT}
    assert drawn[1:] == [{colour} for colour in OTHERS]


def test_the_first_person_is_drawn_over_the_others() -> None:
    """Where people overlap, the best one is complete."""
    rows = pose()
    pixels = draw(Landmarks(pose_landmarks=rows), Landmarks(pose_landmarks=rows))
    assert {at(pixels, rows[joint]) for joint in range(11, 33)} == {LEFT, RIGHT}


def test_small_people_have_finer_lines() -> None:
    """Lines are in proportion to the person, not to the picture."""
    large, small = small_pose(0.02, 0.02, 0.7), small_pose(0.8, 0.8, 0.12)
    pixels = draw(Landmarks(pose_landmarks=small), Landmarks(pose_landmarks=large))
    sizes = [int((pixels == colour).all(axis=2).sum()) / 22 for colour in (OTHERS[0], LEFT)]
    assert sizes[0] > 4 * sizes[1] > 0


def diagonal(left: float, top: float) -> FloatArray:
    """Return a pose whose only visible joints are opposite corners of its box."""
    rows = np.zeros((33, 4), np.float32)
    rows[:, :2] = left, top
    rows[12, :2] += 0.2
    rows[[11, 12], 3] = 1
    return rows


def test_boxes_are_drawn_on_request() -> None:
    """Each in its person's colour, around the visible joints, below the number and score."""
    people = (
        Landmarks(pose_landmarks=diagonal(0.1, 0.6), person_score=0.9),
        Landmarks(pose_landmarks=diagonal(0.6, 0.6)),
    )
    without, with_boxes = draw(*people), draw(*people, boxes=True)
    for person, colour in zip(people, (LEFT, OTHERS[0]), strict=True):
        box = person.bounding_box()
        assert box
        edge = np.array([box.x, box.y + box.height / 2], np.float32)
        label = np.array([box.x + 0.003, box.y - 0.012], np.float32)
        assert at(without, edge) == at(without, label) == GREY
        assert np.abs(np.array(at(with_boxes, edge)) - colour).max() < 60
        assert at(with_boxes, label) == colour


def test_one_person_has_a_faint_box() -> None:
    """Several people have none, unless they are asked for."""
    left, right = diagonal(0.1, 0.6), diagonal(0.6, 0.6)
    edge = np.array([0.1, 0.7], np.float32)
    alone = draw(Landmarks(pose_landmarks=left))
    assert GREY[0] < at(alone, edge)[0] < 200
    assert at(draw(*(Landmarks(pose_landmarks=rows) for rows in (left, right))), edge) == GREY


@pytest.mark.parametrize(("left", "top"), [(0.0, 0.0), (0.95, 0.0), (0.95, 0.95), (-0.4, 0.5)])
def test_labels_stay_in_the_picture(left: float, top: float) -> None:
    """Also where the box touches an edge or begins outside."""
    person = Landmarks(pose_landmarks=small_pose(left, top, 0.5), person_score=0.5)
    pixels = draw(person, boxes=True)
    assert (pixels == LEFT).all(axis=2).sum() > 500


def test_a_person_without_visible_joints_has_no_box() -> None:
    """There is nothing to draw it around."""
    unseen = Landmarks(pose_landmarks=pose(0.1))
    assert (draw(unseen, boxes=True) == draw(unseen)).all()


# What each kind of vision sees of linear RGB (Machado, Oliveira and Fernandes, 2009, severity 1).
VISIONS = {
    "normal": np.eye(3),
    "without red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "without green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "without blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def oklab(colours: npt.NDArray[np.float64], vision: str) -> npt.NDArray[np.float64]:
    """Return colours as that vision sees them, in a space of even differences."""
    parts = colours / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(VISIONS[vision]).T, 0, 1)
    cones = seen @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    places: npt.NDArray[np.float64] = np.cbrt(cones) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
    return places


@pytest.mark.parametrize("vision", VISIONS)
def test_the_colours_of_people_can_be_told_apart(vision: str) -> None:
    """All of them, and from the dark line around them, also by colour-blind readers."""
    places = oklab(np.array([LEFT, RIGHT, HALO, *OTHERS], np.float64), vision)
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(distances, 1)
    assert distances.min() > 0.07


def luminance(colour: tuple[int, int, int]) -> float:
    """Return WCAG's relative luminance."""
    parts = np.array(colour) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("colour", [LEFT, *OTHERS])
def test_labels_can_be_read(colour: tuple[int, int, int]) -> None:
    """Dark text on the person's colour has a contrast of 4.5."""
    assert (luminance(colour) + 0.05) / (luminance(HALO) + 0.05) > 4.5


HOSTILE_KEYS = (
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "...jpg",
    "~/x.jpg",
    "a/../../b.png",
    "nul\0byte.jpg",
    "new\nline \033[31m.jpg",
    "back\\slash.jpg",
    "C:\\x.jpg",
    "\u202egpj.exe",
    "日本語.jpg",
    "写真.jpg",
    "x" * 1024,
    "ü" * 512,
    "\u017f\u0131\u212a.jpg",
)


def test_no_key_leads_out_of_the_folder(tmp_path: Path) -> None:
    """Each key gives a short, writable ASCII name of a PNG directly in the folder."""
    names = overlay_names(HOSTILE_KEYS)
    assert set(names) == set(HOSTILE_KEYS)
    for key, name in names.items():
        save_overlay(Image.new("RGB", (1, 1)), tmp_path / name, key=key)
    written = [path.name for path in tmp_path.rglob("*")]
    assert sorted(written) == sorted(names.values())
    assert all(name.isascii() and name.endswith(".png") and len(name) < 120 for name in written)
    assert not any(name.startswith((".", "-")) for name in written)


def test_no_two_keys_share_a_name() -> None:
    """Keys that differ only in case, accents, folder or suffix have different names."""
    keys = ["a/b.jpg", "a-b.jpg", "A-B.jpg", "a b.png", "ü.jpg", "u.jpg", "u\u0308.jpg", "c.jpg"]
    keys += [f"{'x' * 1000}{number}" for number in range(20)]
    names = overlay_names(keys)
    assert len({name.casefold() for name in names.values()}) == len(keys)
    assert names["c.jpg"] == "c.png"
    assert names == overlay_names(reversed(keys))


def test_a_key_that_imitates_a_number_does_not_collide() -> None:
    """A key that looks like another key's overlay gets a different name."""
    names = overlay_names(["a/b.jpg", "a b.jpg", "A-B-2.jpg"])
    assert len({name.casefold() for name in names.values()}) == 3


def test_only_the_demos_own_files_are_removed(tmp_path: Path) -> None:
    """Only an earlier run's overlays are removed, not other pictures."""
    files = prepared_files(tmp_path / "out")
    overlays = files["overlays"]
    save_overlay(Image.new("RGB", (1, 1)), overlays / "old.png", key="old.jpg", software=SOFTWARE)
    files["results"].write_text("{}")
    Image.new("RGB", (1, 1)).save(overlays / "mine.png")
    (overlays / "broken.png").write_bytes(b"no picture")
    (tmp_path / "out" / "notes.txt").touch()
    prepared_files(tmp_path / "out")
    left = {path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("*.*")}
    assert left == {"overlays/mine.png", "overlays/broken.png", "notes.txt"}
