"""A detector's answer is a detection, one of a few errors, or rejected."""

import itertools
import math
import string
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from landmarks.errors import (
    CorruptImageError,
    DetectorMemoryError,
    ImageError,
    NotAnImageError,
    TooManyPixelsError,
    TooSmallError,
    UnsupportedFormatError,
)
from landmarks.groups import GROUPS, FloatArray, Landmarks
from worker.detector.decode import encode_mask
from worker.detector.mask import MaskBounds
from worker.detector.protocol import (
    FORMATS,
    HEADER,
    Kind,
    ProtocolError,
    decode_detection,
    decode_failure,
    decode_picture,
    encode_detection,
    encode_failure,
    encode_picture,
    frame,
    max_answer_bytes,
)
from worker.result import Detection

A_CHILDS_ERRORS = (
    CorruptImageError,
    DetectorMemoryError,
    NotAnImageError,
    TooManyPixelsError,
    TooSmallError,
    UnsupportedFormatError,
)
SHAPES = {
    "pose_landmarks": (33, 4),
    "pose_world_landmarks": (33, 4),
    "face_landmarks": (468, 3),
    "left_hand_landmarks": (21, 3),
    "right_hand_landmarks": (21, 3),
}
OTHERS = [name for name in SHAPES if name != "pose_landmarks"]
SUBSETS = [
    ("pose_landmarks", *others)
    for count in range(len(OTHERS) + 1)
    for others in itertools.combinations(OTHERS, count)
]
# Width, height, format, orientation, truncated, people; and for each person groups, pose score,
# person score. Repeated here so that they aren't changed by accident.
HEAD = struct.Struct("<IIBBBB")
PERSON = struct.Struct("<Bff")
MAX_PEOPLE = 3

# Examples may take long on a busy machine.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

sides = st.integers(1, 2**32 - 1)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
scores = st.floats(0, 1, width=32)


def shape(name: str, face_points: int = 468) -> tuple[int, int]:
    """Return the shape of a group's array."""
    return (face_points, 3) if name == "face_landmarks" else SHAPES[name]


def detection(names: tuple[str, ...], face_points: int = 468) -> Detection:
    """Return a detection with these groups, in which no two values are equal."""
    values = itertools.count(1)
    found: dict[str, FloatArray] = {}
    for name in names:
        rows, columns = shape(name, face_points)
        numbers = list(itertools.islice(values, rows * columns))
        found[name] = np.array(numbers, np.float32).reshape(rows, columns)
    landmarks = Landmarks(**found, pose_score=0.75 if names else None, person_score=None)
    return Detection(landmarks, 640, 480, "png")


def crowd(count: int, face_points: int = 478) -> Detection:
    """Return a detection of this many people with all groups."""
    first = detection(SUBSETS[-1], face_points)
    further = replace(first.landmarks, pose_score=None, person_score=0.5)
    return replace(first, others=(further,) * (count - 1))


@st.composite
def people(draw: st.DrawFn, face_points: int, *score_names: str) -> Landmarks:
    """Generate all people with these scores."""
    found = {
        name: draw(arrays(np.float32, shape(name, face_points), elements=finite))
        for name in draw(st.sampled_from(SUBSETS))
    }
    pose_score, person_score = (
        draw(scores) if name in score_names else None for name in ("pose_score", "person_score")
    )
    return Landmarks(**found, pose_score=pose_score, person_score=person_score)


@st.composite
def detections(draw: st.DrawFn, face_points: int, max_people: int) -> Detection:
    """Generate all possible detections."""
    ways: list[tuple[str, ...]] = [("pose_score",)]
    if max_people > 1:
        ways += [("person_score",), ("pose_score", "person_score")]
    first = draw(
        st.just(Landmarks())
        | st.sampled_from(ways).flatmap(lambda names: people(face_points, *names))
    )
    further = st.lists(people(face_points, "person_score"), max_size=max_people - 1)
    others = tuple(draw(further)) if first.person_found else ()
    image = draw(sides), draw(sides), draw(st.sampled_from(FORMATS))
    return Detection(
        first,
        *image,
        orientation=draw(st.integers(1, 8)),
        truncated=draw(st.booleans()),
        others=others,
    )


def facts(found: Detection) -> list[object]:
    """Return a detection as values that can be compared bit for bit."""
    everyone = [
        {
            "scores": (one.pose_score, one.person_score),
            **{group.name: (array.shape, array.tobytes()) for group, array in one.found()},
        }
        for one in (found.landmarks, *found.others)
    ]
    fields = ("width", "height", "format", "orientation", "truncated")
    return [*(getattr(found, name) for name in fields), *everyone]


def assert_is_sound(found: Detection, face_points: int, max_people: int = 1) -> None:
    """Check that an accepted detection can be stored."""
    assert found.width > 0
    assert found.height > 0
    assert found.format in FORMATS
    assert found.orientation in range(1, 9)
    assert type(found.truncated) is bool
    assert len(found.others) < max_people
    for person in (found.landmarks, *found.others):
        for group, array in person.found():
            assert array.shape == shape(group.name, face_points)
            assert array.dtype == np.float32
            assert np.isfinite(array).all()
        known = [score for score in (person.pose_score, person.person_score) if score is not None]
        assert all(0 <= score <= 1 for score in known)
        assert bool(known) == person.person_found
    if not found.landmarks.person_found:
        assert found.others == ()
        assert list(found.landmarks.found()) == []
    if max_people == 1:
        assert found.landmarks.person_score is None


class TestDetection:
    """A DETECTION's payload."""

    @unhurried
    @given(
        data=st.data(),
        face_points=st.sampled_from([468, 478]),
        max_people=st.integers(1, MAX_PEOPLE),
    )
    def test_any_detection_comes_through(
        self, data: st.DataObject, face_points: int, max_people: int
    ) -> None:
        """All people and groups arrive in order, and all finite values bit for bit."""
        sent = data.draw(detections(face_points, max_people))
        payload = encode_detection(sent)
        received = decode_detection(payload, face_points=face_points, max_people=max_people)
        assert facts(received) == facts(sent)
        assert_is_sound(received, face_points, max_people)

    def test_layout(self) -> None:
        """Fixed fields are followed by little-endian float32, row by row, in the groups' order."""
        names = ("pose_landmarks", "left_hand_landmarks")
        head = HEAD.pack(640, 480, FORMATS.index("png"), 6, 1, 1)
        head += PERSON.pack(0b01001, 0.75, math.nan)
        values = struct.pack("<195f", *range(1, 196))
        sent = replace(detection(names), orientation=6, truncated=True)
        assert encode_detection(sent) == head + values

    @pytest.mark.parametrize("count", [1, 2, 16])
    def test_the_largest_is_within_the_limit(self, count: int) -> None:
        """The limit on answers allows all groups of everybody."""
        payload = encode_detection(crowd(count))
        assert len(payload) + 1 <= max_answer_bytes(count, None)

    def test_of_more_people_than_asked_for_is_refused(self) -> None:
        """The child's options limit the number of people."""
        payload = encode_detection(crowd(3))
        assert len(decode_detection(payload, face_points=478, max_people=3).others) == 2
        with pytest.raises(ProtocolError, match="3 people"):
            decode_detection(payload, face_points=478, max_people=2)

    @pytest.mark.parametrize(
        ("max_people", "first", "further"),
        [
            pytest.param(1, (math.nan, math.nan), None, id="no score"),
            pytest.param(1, (0.5, 0.5), None, id="a box's score for a single person"),
            pytest.param(1, (math.nan, 0.5), None, id="only a box's score for a single person"),
            pytest.param(2, (math.nan, math.nan), None, id="no score with many"),
            pytest.param(2, (0.5, 1.5), None, id="an impossible box's score"),
            pytest.param(2, (0.5, 0.5), (0.5, 0.5), id="a pose's score for a further person"),
            pytest.param(2, (0.5, 0.5), (math.nan, math.nan), id="no score for a further person"),
        ],
    )
    def test_with_the_wrong_scores_is_refused(
        self,
        max_people: int,
        first: tuple[float, float],
        further: tuple[float, float] | None,
    ) -> None:
        """Only the first person has a pose score, and everybody has a score."""
        pose = encode_detection(detection(("pose_landmarks",)))[HEAD.size + PERSON.size :]
        scores = [pair for pair in (first, further) if pair]
        payload = HEAD.pack(640, 480, 0, 1, 0, len(scores)) + b"".join(
            PERSON.pack(1, *pair) + pose for pair in scores
        )
        with pytest.raises(ProtocolError, match="score"):
            decode_detection(payload, face_points=468, max_people=max_people)

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("name", SHAPES)
    @unhurried
    @given(data=st.data())
    def test_with_a_value_that_is_not_finite_is_refused(
        self, data: st.DataObject, name: str, value: float
    ) -> None:
        """A single value that is not finite is enough."""
        sent = detection(SUBSETS[-1])
        array = getattr(sent.landmarks, name)
        array.flat[data.draw(st.integers(0, array.size - 1))] = value
        with pytest.raises(ProtocolError, match="finite"):
            decode_detection(encode_detection(sent), face_points=468)

    @unhurried
    @given(names=st.sampled_from([(), *SUBSETS]), length=st.integers(0, 10_000))
    def test_of_any_other_length_is_refused(self, names: tuple[str, ...], length: int) -> None:
        """Truncated payloads and trailing bytes are rejected."""
        payload = encode_detection(detection(names))
        other = payload[:length].ljust(length, b"\0")
        if length == len(payload):
            decode_detection(other, face_points=468)
        else:
            with pytest.raises(ProtocolError):
                decode_detection(other, face_points=468)

    @pytest.mark.parametrize(("sent", "expected"), [(468, 478), (478, 468)])
    def test_with_a_face_of_the_wrong_size_is_refused(self, sent: int, expected: int) -> None:
        """The options determine the number of face landmarks."""
        payload = encode_detection(detection(SUBSETS[-1], sent))
        with pytest.raises(ProtocolError, match="size"):
            decode_detection(payload, face_points=expected)

    @pytest.mark.parametrize("score", [math.nan, math.inf, -0.001, 1.001])
    def test_with_a_pose_and_an_impossible_score_is_refused(self, score: float) -> None:
        """Scores are 0 to 1."""
        pose = encode_detection(detection(("pose_landmarks",)))[HEAD.size + PERSON.size :]
        head = HEAD.pack(640, 480, 0, 1, 0, 1) + PERSON.pack(1, score, math.nan)
        with pytest.raises(ProtocolError, match="score"):
            decode_detection(head + pose, face_points=468)

    def test_with_an_unknown_group_is_refused(self) -> None:
        """Bits without a group are rejected."""
        pose = encode_detection(detection(("pose_landmarks",)))[HEAD.size + PERSON.size :]
        head = HEAD.pack(640, 480, 0, 1, 0, 1) + PERSON.pack(0b100001, 0.5, math.nan)
        with pytest.raises(ProtocolError):
            decode_detection(head + pose, face_points=468)

    @pytest.mark.parametrize("name", OTHERS)
    def test_with_a_group_but_no_pose_is_refused(self, name: str) -> None:
        """No group is found without a pose."""
        group = 1 << [group.name for group in GROUPS].index(name)
        head = HEAD.pack(640, 480, 0, 1, 0, 1) + PERSON.pack(group, 0.5, math.nan)
        values = struct.pack(f"<{math.prod(shape(name))}f", *range(math.prod(shape(name))))
        with pytest.raises(ProtocolError, match="without a pose"):
            decode_detection(head + values, face_points=468)

    @pytest.mark.parametrize(
        "head",
        [
            pytest.param((0, 480, 0, 1, 0, 0), id="no width"),
            pytest.param((640, 0, 0, 1, 0, 0), id="no height"),
            pytest.param((640, 480, len(FORMATS), 1, 0, 0), id="unknown format"),
        ],
    )
    def test_without_an_image_is_refused(self, head: tuple[int, ...]) -> None:
        """The image must have a size and a supported format."""
        with pytest.raises(ProtocolError, match="without an image"):
            decode_detection(HEAD.pack(*head), face_points=468)

    @pytest.mark.parametrize(
        ("orientation", "truncated"), [(0, 0), (9, 0), (255, 1), (1, 2), (8, 255)]
    )
    def test_of_an_impossible_image_is_refused(self, orientation: int, truncated: int) -> None:
        """EXIF has eight orientations, and a file is truncated or not."""
        head = HEAD.pack(640, 480, 0, orientation, truncated, 0)
        with pytest.raises(ProtocolError, match="impossible"):
            decode_detection(head, face_points=468)

    @unhurried
    @given(payload=st.binary(max_size=10_000), max_people=st.integers(1, MAX_PEOPLE))
    def test_of_any_bytes_is_sound_or_refused(self, payload: bytes, max_people: int) -> None:
        """Any bytes give a valid detection or `ProtocolError`."""
        try:
            received = decode_detection(payload, face_points=478, max_people=max_people)
        except ProtocolError:
            return
        assert_is_sound(received, 478, max_people)

    @unhurried
    @given(
        sent=st.sampled_from([detection(()), detection(SUBSETS[0]), crowd(1), crowd(MAX_PEOPLE)]),
        max_people=st.integers(1, MAX_PEOPLE),
        damage=st.lists(st.tuples(st.integers(0, 24_000), st.integers(0, 255)), max_size=4),
        near_head=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 255)), max_size=2),
    )
    def test_damaged_is_sound_or_refused(
        self,
        sent: Detection,
        max_people: int,
        damage: list[tuple[int, int]],
        near_head: list[tuple[int, int]],
    ) -> None:
        """A changed payload is rejected, or can still be stored."""
        payload = bytearray(encode_detection(sent))
        for place, value in damage + near_head:
            payload[place % len(payload)] = value
        try:
            received = decode_detection(bytes(payload), face_points=478, max_people=max_people)
        except ProtocolError:
            return
        assert_is_sound(received, 478, max_people)


def masked(names: tuple[str, ...], mask: bytes) -> bytes:
    """Return a DETECTION's payload with these groups and this mask."""
    return encode_detection(replace(detection(names), mask=mask))


class TestMask:
    """A mask, which follows the groups."""

    POSE = ("pose_landmarks",)
    BOUNDS = MaskBounds(max_pixels=1_000_000, max_side=None)
    MASK = encode_mask(np.zeros((480, 640), np.float32))

    @pytest.mark.parametrize("names", [SUBSETS[0], SUBSETS[-1]])
    def test_comes_through(self, names: tuple[str, ...]) -> None:
        """The mask and the groups before it are unchanged."""
        payload = masked(names, self.MASK)
        received = decode_detection(payload, face_points=468, masks=self.BOUNDS)
        assert received.mask == self.MASK
        assert facts(received) == facts(detection(names))

    def test_without_a_person_there_is_none(self) -> None:
        """A mask without a person is rejected."""
        nobody = encode_detection(detection(()))
        received = decode_detection(nobody, face_points=468, masks=self.BOUNDS)
        assert received.mask is None
        with pytest.raises(ProtocolError, match="size"):
            decode_detection(masked((), self.MASK), face_points=468, masks=self.BOUNDS)

    def test_of_a_person_found_by_the_box_detector_there_is_none(self) -> None:
        """The mask is MediaPipe's first person's."""
        landmarks = replace(detection(self.POSE).landmarks, pose_score=None, person_score=0.5)
        found = replace(detection(self.POSE), landmarks=landmarks)
        payload = encode_detection(found)
        received = decode_detection(payload, face_points=468, max_people=2, masks=self.BOUNDS)
        assert received.mask is None
        with pytest.raises(ProtocolError, match="size"):
            decode_detection(payload + self.MASK, face_points=468, max_people=2, masks=self.BOUNDS)

    def test_not_asked_for_is_refused(self) -> None:
        """Without segmentation, nothing may follow the groups."""
        with pytest.raises(ProtocolError, match="size"):
            decode_detection(masked(self.POSE, self.MASK), face_points=468)

    @pytest.mark.parametrize(
        "forged",
        [
            pytest.param(b"", id="missing"),
            pytest.param(b"mask", id="not a PNG"),
            pytest.param(MASK[:-1], id="cut short"),
            pytest.param(MASK + b"\0", id="too long"),
            pytest.param(encode_mask(np.zeros((481, 640), np.float32)), id="wrong size"),
        ],
    )
    def test_invalid_is_refused(self, forged: bytes) -> None:
        """The mask must be a PNG of the image's size."""
        with pytest.raises(ProtocolError, match="an invalid mask"):
            decode_detection(masked(self.POSE, forged), face_points=468, masks=self.BOUNDS)

    @unhurried
    @given(payload=st.binary(max_size=10_000))
    def test_any_bytes_are_sound_or_refused(self, payload: bytes) -> None:
        """Any bytes give a valid detection or `ProtocolError`."""
        try:
            received = decode_detection(payload, face_points=468, masks=self.BOUNDS)
        except ProtocolError:
            return
        assert_is_sound(received, 468)


class TestPicture:
    """A PICTURE's payload."""

    PIXELS = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)

    def test_comes_through(self) -> None:
        """Shape and pixels arrive."""
        received = decode_picture(encode_picture(self.PIXELS), side=4)
        assert received.tolist() == self.PIXELS.tolist()

    def test_layout(self) -> None:
        """Width and height are followed by RGB, row by row."""
        assert encode_picture(self.PIXELS) == struct.pack("<II", 4, 2) + bytes(range(24))

    def test_larger_than_asked_for_is_refused(self) -> None:
        """In width or in height."""
        for pixels in (self.PIXELS, self.PIXELS.reshape(4, 2, 3)):
            with pytest.raises(ProtocolError, match="pixels"):
                decode_picture(encode_picture(pixels), side=3)

    @unhurried
    @given(payload=st.binary(max_size=200))
    @example(payload=struct.pack("<II", 0, 4))
    @example(payload=struct.pack("<II", 4, 0))
    @example(payload=struct.pack("<II", 1, 1) + b"RG")
    @example(payload=struct.pack("<II", 1, 1) + b"RGBA")
    @example(payload=struct.pack("<II", 1, 1) + b"RGB")
    def test_of_any_bytes_is_sound_or_refused(self, payload: bytes) -> None:
        """Any bytes give a picture with exactly these pixels, or `ProtocolError`."""
        try:
            received = decode_picture(payload, side=8)
        except ProtocolError:
            return
        assert received.size > 0
        assert encode_picture(received) == payload


class TestFailure:
    """A FAILURE's payload."""

    @pytest.mark.parametrize("error", A_CHILDS_ERRORS)
    @unhurried
    @given(message=st.text(max_size=500))
    def test_comes_through(self, error: type[ImageError], message: str) -> None:
        """Type and message, including newlines, arrive."""
        received = decode_failure(encode_failure(error(message)))
        assert type(received) is error
        assert str(received) == message

    @unhurried
    @given(message=st.text(st.characters(), max_size=2_000))
    @example(message="a lone surrogate: \udcff")
    @example(message="\N{GRINNING FACE}" * 501)
    def test_with_any_message_is_bounded(self, message: str) -> None:
        """At most 500 characters arrive, with question marks for lone surrogates."""
        payload = encode_failure(CorruptImageError(message))
        assert len(payload) + 1 <= max_answer_bytes(1, None)
        text = "".join("?" if "\ud800" <= it <= "\udfff" else it for it in message[:500])
        assert str(decode_failure(payload)) == text

    @unhurried
    @given(message=st.binary(max_size=5_000))
    @example(message=b"a" * 501)
    def test_of_a_known_code_is_bounded(self, message: bytes) -> None:
        """At most 500 characters after the code are kept."""
        received = decode_failure(b"TOO_SMALL\n" + message)
        assert type(received) is TooSmallError
        assert len(str(received)) <= 500
        str(received).encode()

    @pytest.mark.parametrize(
        "code",
        [
            *("IMAGE_ERROR", "DETECTOR_CRASHED", "DETECTOR_TIMEOUT", "DETECTOR_INVALID_ANSWER"),
            *("TOO_MANY_BYTES", "INVALID_MESSAGE", "ACCESS_DENIED", "DEADLINE_EXCEEDED"),
            *("", "ERROR", "too_small", " TOO_SMALL", "TOO_SMALL\r"),
        ],
    )
    def test_of_an_unknown_code_is_refused(self, code: str) -> None:
        """A child may only report errors about the image."""
        with pytest.raises(ProtocolError, match="unknown failure"):
            decode_failure(f"{code}\nwhy".encode())

    @unhurried
    @given(
        payload=st.binary(max_size=2_000) | st.text(string.ascii_uppercase + "_\n").map(str.encode)
    )
    def test_of_any_bytes_is_an_image_error_or_refused(self, payload: bytes) -> None:
        """Any bytes give an `ImageError` or `ProtocolError`."""
        try:
            received = decode_failure(payload)
        except ProtocolError:
            return
        assert type(received) in A_CHILDS_ERRORS


@unhurried
@given(kind=st.sampled_from(Kind), payload=st.binary(max_size=1_000))
def test_a_frame_begins_with_its_length_and_kind(kind: Kind, payload: bytes) -> None:
    """The length includes the kind."""
    whole = frame(kind, payload)
    assert HEADER.unpack(whole[: HEADER.size]) == (len(payload) + 1, kind)
    assert whole[HEADER.size :] == payload


def test_every_group_has_a_shape_here() -> None:
    """These tests cover all groups."""
    assert [group.name for group in GROUPS] == list(SHAPES)
