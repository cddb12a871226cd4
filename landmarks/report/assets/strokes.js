// Strokes: a figure as lines and dots with colour and width, for whatever draws them.
//
// The same rules, widths and colours as the overlays of `worker/drawing/overlay.py`.

const { edges, colours } = report.drawing;
const VISIBLE = report.drawing.visible;

// Opacity.
const FEATURE = 0.88;
const DARK = 0.5;
const GUESSED = 0.5;
const FINE = 0.42;

// Of the pose: what the face's and the hands' own landmarks say better.
const POSE_FACE = new Set(Array(11).keys());
const POSE_HANDS = { left_hand: new Set([17, 19, 21]), right_hand: new Set([18, 20, 22]) };

// Behind these, a refined face has its irises.
const UNREFINED_FACE_POINTS = 468;

/** @param {Colour} colour */
const rgb = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

/**
 * From the shoulders on, MediaPipe's odd numbers are the left side.
 * @param {number[]} joints
 */
function sideOf(...joints) {
  const mixed = joints.some((joint) => joint % 2 !== joints[0] % 2);
  if (mixed || joints.some((joint) => POSE_FACE.has(joint))) {
    return colours.middle;
  }
  return joints[0] % 2 ? colours.left : colours.right;
}

/**
 * Only of the pose is it known.
 * @param {Points} points
 * @param {number} number
 */
const isGuessed = (points, number) => (points.visibility(number) ?? 1) < VISIBLE;

/**
 * Whether a joint of the pose is drawn as a part of a group that shows it better.
 * @type {(figure: Figure, joint: number) => boolean}
 */
function isSaidBetter(figure, joint) {
  /** @type {(group: Group, joints: Set<number>) => boolean} */
  const better = (group, joints) => group in figure && isDrawn(group) && joints.has(joint);
  return (
    better('face', POSE_FACE) ||
    better('left_hand', POSE_HANDS.left_hand) ||
    better('right_hand', POSE_HANDS.right_hand)
  );
}

/**
 * What to draw of a figure, from below to above; in pixels of a frame.
 * @param {Figure} figure
 * @param {Size} frame
 * @returns {Stroke[]}
 */
function strokesOf(figure, frame) {
  return [
    ...(figure.pose && layers.pose ? poseStrokes(figure, figure.pose, frame) : []),
    ...(figure.face && layers.face ? faceStrokes(figure.face, frame) : []),
    ...(figure.left_hand && layers.hands ? handStrokes(figure.left_hand, frame, colours.left) : []),
    ...(figure.right_hand && layers.hands ? handStrokes(figure.right_hand, frame, colours.right) : []),
  ];
}

/**
 * A part of the frame's size, less where the group itself is small.
 * @type {(points: Points, frame: Size, ofFrame: number, ofGroup: number) => number}
 */
function lineWidth(points, frame, ofFrame, ofGroup) {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let number = 0; number < points.count; number += 1) {
    left = Math.min(left, points.x(number));
    right = Math.max(right, points.x(number));
    top = Math.min(top, points.y(number));
    bottom = Math.max(bottom, points.y(number));
  }
  const extent = Math.hypot((right - left) * frame.width, (bottom - top) * frame.height);
  const usual = Math.sqrt(frame.width * frame.height) / ofFrame;
  return Math.min(usual, Math.max(frame.width / 1280, extent / ofGroup));
}

/** @type {(points: Points, frame: Size, number: number) => [x: number, y: number]} */
const pixelsAt = (points, frame, number) => [points.x(number) * frame.width, points.y(number) * frame.height];

/** @type {(points: Points, frame: Size, pairs: Edge[], colour: Colour, width: number, opacity?: number) => LineStroke} */
function lines(points, frame, pairs, colour, width, opacity = 1) {
  const ends = pairs.flat().flatMap((number) => pixelsAt(points, frame, number));
  return { ends, colour: rgb(colour), width, opacity };
}

/** @type {(points: Points, frame: Size, numbers: number[], colour: Colour, width: number) => DotStroke} */
function dots(points, frame, numbers, colour, width) {
  const at = numbers.flatMap((number) => pixelsAt(points, frame, number));
  return { at, colour: rgb(colour), width, opacity: 1 };
}

/** @type {(figure: Figure, pose: Points, frame: Size) => Stroke[]} */
function poseStrokes(figure, pose, frame) {
  const width = lineWidth(pose, frame, 160, 120);
  const own = [...Array(pose.count).keys()].filter((joint) => !isSaidBetter(figure, joint));
  const head = own.filter((joint) => POSE_FACE.has(joint));
  const body = own.filter((joint) => !POSE_FACE.has(joint));
  return [...boneStrokes(pose, frame, body, width), ...boneStrokes(pose, frame, head, width / 2)];
}

/** @type {(pose: Points, frame: Size, joints: number[], width: number) => Stroke[]} */
function boneStrokes(pose, frame, joints, width) {
  const wanted = edges.pose.filter((bone) => bone.every((joint) => joints.includes(joint)));
  const clear = wanted.filter((bone) => !bone.some((joint) => isGuessed(pose, joint)));
  const guessed = layers.guessed ? wanted.filter((bone) => !clear.includes(bone)) : [];
  const seen = joints.filter((joint) => !isGuessed(pose, joint));
  return [
    ...guessed.map((bone) => lines(pose, frame, [bone], sideOf(...bone), width * 0.6, GUESSED)),
    lines(pose, frame, clear, colours.halo, width * 1.9, DARK),
    ...clear.map((bone) => lines(pose, frame, [bone], sideOf(...bone), width)),
    dots(pose, frame, seen, colours.halo, width * 2.3),
    ...seen.map((joint) => dots(pose, frame, [joint], sideOf(joint), width * 1.6)),
  ];
}

/** @type {(face: Points, frame: Size) => Stroke[]} */
function faceStrokes(face, frame) {
  const width = lineWidth(face, frame, 350, 150);
  const strokes = [lines(face, frame, edges.face_mesh, colours.mesh, width * 0.4, FINE)];
  for (const [part, pairs] of entriesOf(edges.face)) {
    strokes.push(lines(face, frame, pairs, colours.face[part], width, FEATURE));
  }
  if (face.count > UNREFINED_FACE_POINTS) {
    strokes.push(lines(face, frame, edges.irises, colours.irises, width));
  }
  return strokes;
}

/** @type {(hand: Points, frame: Size, side: Colour) => Stroke[]} */
function handStrokes(hand, frame, side) {
  const width = lineWidth(hand, frame, 220, 45);
  const all = [...Array(hand.count).keys()];
  return [
    lines(hand, frame, Object.values(edges.hand).flat(), colours.halo, width * 1.9, DARK),
    ...entriesOf(edges.hand).map(([part, pairs]) => lines(hand, frame, pairs, colours.hand[part], width)),
    dots(hand, frame, all, colours.halo, width * 2),
    dots(hand, frame, all, side, width * 1.4),
  ];
}
