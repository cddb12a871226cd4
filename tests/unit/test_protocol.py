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
    MAX_ANSWER_BYTES,
    Kind,
    ProtocolError,
    decode_detection,
    decode_failure,
    decode_picture,
    encode_detection,
    encode_failure,
    encode_picture,
    frame,
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
# Width, height, format, orientation, truncated, groups, score; repeated here so that it isn't
# changed by accident.
HEAD = struct.Struct("<IIBBBBf")

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
    landmarks = Landmarks(**found, pose_score=0.75 if names else None)
    return Detection(landmarks, 640, 480, "png")


@st.composite
def detections(draw: st.DrawFn, face_points: int) -> Detection:
    """Generate all possible detections."""
    names = draw(st.sampled_from([(), *SUBSETS]))
    found = {
        name: draw(arrays(np.float32, shape(name, face_points), elements=finite)) for name in names
    }
    score = draw(scores) if names else None
    landmarks = Landmarks(**found, pose_score=score)
    return Detection(
        landmarks,
        draw(sides),
        draw(sides),
        draw(st.sampled_from(FORMATS)),
        orientation=draw(st.integers(1, 8)),
        truncated=draw(st.booleans()),
    )


def facts(found: Detection) -> dict[str, object]:
    """Return a detection as values that can be compared bit for bit."""
    groups = {
        group.name: (array.shape, array.tobytes()) for group, array in found.landmarks.found()
    }
    fields = ("width", "height", "format", "orientation", "truncated")
    image = {name: getattr(found, name) for name in fields}
    return {**image, "score": found.landmarks.pose_score, **groups}


def assert_is_sound(found: Detection, face_points: int) -> None:
    """Check that an accepted detection can be stored."""
    assert found.width > 0
    assert found.height > 0
    assert found.format in FORMATS
    assert found.orientation in range(1, 9)
    assert type(found.truncated) is bool
    for group, array in found.landmarks.found():
        assert array.shape == shape(group.name, face_points)
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    if found.landmarks.person_found:
        assert found.landmarks.pose_score is not None
        assert 0 <= found.landmarks.pose_score <= 1
    else:
        assert list(found.landmarks.found()) == []
        assert found.landmarks.pose_score is None


class TestDetection:
    """A DETECTION's payload."""

    @unhurried
    @given(data=st.data(), face_points=st.sampled_from([468, 478]))
    def test_any_detection_comes_through(self, data: st.DataObject, face_points: int) -> None:
        """All groups arrive with their names, and all finite values bit for bit."""
        sent = data.draw(detections(face_points))
        received = decode_detection(encode_detection(sent), face_points=face_points)
        assert facts(received) == facts(sent)
        assert_is_sound(received, face_points)

    def test_layout(self) -> None:
        """Fixed fields are followed by little-endian float32, row by row, in the groups' order."""
        names = ("pose_landmarks", "left_hand_landmarks")
        head = HEAD.pack(640, 480, FORMATS.index("png"), 6, 1, 0b01001, 0.75)
        values = struct.pack("<195f", *range(1, 196))
        sent = replace(detection(names), orientation=6, truncated=True)
        assert encode_detection(sent) == head + values

    @pytest.mark.parametrize("face_points", [468, 478])
    def test_the_largest_is_within_the_limit(self, face_points: int) -> None:
        """The limit on answers allows all groups."""
        payload = encode_detection(detection(SUBSETS[-1], face_points))
        assert len(payload) + 1 <= MAX_ANSWER_BYTES

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
        payload = encode_detection(detection(("pose_landmarks",)))
        head = HEAD.pack(640, 480, 0, 1, 0, 1, score)
        with pytest.raises(ProtocolError, match="score"):
            decode_detection(head + payload[HEAD.size :], face_points=468)

    @pytest.mark.parametrize("name", OTHERS)
    def test_with_a_group_but_no_pose_is_refused(self, name: str) -> None:
        """No group is found without a pose."""
        with pytest.raises(ProtocolError, match="without a pose"):
            decode_detection(encode_detection(detection((name,))), face_points=468)

    @pytest.mark.parametrize(
        "head",
        [
            pytest.param((0, 480, 0, 1, 0, 0, 0.5), id="no width"),
            pytest.param((640, 0, 0, 1, 0, 0, 0.5), id="no height"),
            pytest.param((640, 480, len(FORMATS), 1, 0, 0, 0.5), id="unknown format"),
            pytest.param((640, 480, 0, 1, 0, 0b100000, 0.5), id="unknown group"),
        ],
    )
    def test_without_an_image_is_refused(self, head: tuple[float, ...]) -> None:
        """The image must have a size and a supported format."""
        with pytest.raises(ProtocolError, match="without an image"):
            decode_detection(HEAD.pack(*head), face_points=468)

    @pytest.mark.parametrize(
        ("orientation", "truncated"), [(0, 0), (9, 0), (255, 1), (1, 2), (8, 255)]
    )
    def test_of_an_impossible_image_is_refused(self, orientation: int, truncated: int) -> None:
        """EXIF has eight orientations, and a file is truncated or not."""
        head = HEAD.pack(640, 480, 0, orientation, truncated, 0, math.nan)
        with pytest.raises(ProtocolError, match="impossible"):
            decode_detection(head, face_points=468)

    @unhurried
    @given(payload=st.binary(max_size=10_000), face_points=st.sampled_from([468, 478]))
    def test_of_any_bytes_is_sound_or_refused(self, payload: bytes, face_points: int) -> None:
        """Any bytes give a valid detection or `ProtocolError`."""
        try:
            received = decode_detection(payload, face_points=face_points)
        except ProtocolError:
            return
        assert_is_sound(received, face_points)

    @unhurried
    @given(
        names=st.sampled_from([(), *SUBSETS]),
        damage=st.lists(st.tuples(st.integers(0, 8_000), st.integers(0, 255)), max_size=4),
        near_head=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 255)), max_size=2),
    )
    def test_damaged_is_sound_or_refused(
        self,
        names: tuple[str, ...],
        damage: list[tuple[int, int]],
        near_head: list[tuple[int, int]],
    ) -> None:
        """A changed payload is rejected, or can still be stored."""
        payload = bytearray(encode_detection(detection(names)))
        for place, value in damage + near_head:
            payload[place % len(payload)] = value
        try:
            received = decode_detection(bytes(payload), face_points=468)
        except ProtocolError:
            return
        assert_is_sound(received, 468)


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
        assert len(payload) + 1 <= MAX_ANSWER_BYTES
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
