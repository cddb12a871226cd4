// Points: the landmarks of the detail view, each one a circle that says what it is.

// How near the pointer has to be, in pixels of the screen.
const REACH = 16;

// The face's points that are a part of a feature.
const FEATURES = new Map(
  entriesOf(edges.face).flatMap(([feature, pairs]) =>
    pairs.flat().map((number) => /** @type {const} */ ([number, feature])),
  ),
);

/** @type {Record<Feature, string>} */
const FEATURE_WORDS = { oval: 'face oval', brows: 'brow', eyes: 'eye', lips: 'lips' };

/**
 * All points of a figure that are drawn: where they are in the photo, and their circles.
 * @type {(size: Size, figure: Figure) => Point[]}
 */
function pointsOfFigure(size, figure) {
  return entriesOf(figure)
    .filter(([group]) => isDrawn(group))
    .flatMap(([group, points]) =>
      [...Array(points.count).keys()]
        .filter((number) => layers.guessed || !isGuessed(points, number))
        .map((number) => pointOf(size, figure, group, points, number)),
    );
}

/** @type {(size: Size, figure: Figure, group: Group, points: Points, number: number) => Point} */
function pointOf(size, figure, group, points, number) {
  const point = {
    group,
    number,
    name: pointName(group, number),
    x: points.x(number) * size.width,
    y: points.y(number) * size.height,
    z: points.z(number),
    visibility: points.visibility(number),
  };
  return { ...point, node: circle(point, figure) };
}

/** @type {(point: Landmark, figure: Figure) => SVGCircleElement} */
function circle(point, figure) {
  const kind = point.group.endsWith('hand') ? 'hand' : point.group;
  const minor = point.group === 'pose' && isSaidBetter(figure, point.number);
  const guessed = point.visibility !== null && point.visibility < VISIBLE;
  return shape('circle', {
    class: ['point', kind, minor && 'minor', guessed && 'guessed'].filter(Boolean).join(' '),
    cx: point.x,
    cy: point.y,
    fill: rgb(pointColour(point)),
    tabindex: -1,
    role: 'img',
    'aria-label': pointWords(point).join(', '),
    'data-group': point.group,
    'data-number': point.number,
    'data-name': point.name,
  });
}

/** @param {Landmark} point */
function pointColour({ group, number }) {
  if (group === 'pose') {
    return sideOf(number);
  }
  const feature = FEATURES.get(number);
  const face = feature ? colours.face[feature] : colours.mesh;
  return { left_hand: colours.left, right_hand: colours.right, face }[group];
}

/**
 * What MediaPipe calls it: left_wrist is left wrist.
 * @type {(group: Group, number: number) => string}
 */
function pointName(group, number) {
  if (group === 'face') {
    return faceName(number);
  }
  const { pose, hand } = report.drawing.names;
  const names = { pose, left_hand: hand, right_hand: hand }[group];
  return names[number].replaceAll('_', ' ');
}

/**
 * MediaPipe has no names for the face's points, but for some a feature.
 * @param {number} number
 */
function faceName(number) {
  if (number >= UNREFINED_FACE_POINTS) {
    return 'iris';
  }
  const feature = FEATURES.get(number);
  return feature ? FEATURE_WORDS[feature] : 'face mesh';
}

/**
 * Its name and number, where it is, and what else is known.
 * @param {Landmark} point
 */
function pointWords({ group, number, name, x, y, z, visibility }) {
  return [
    name,
    `${GROUP_WORDS[group]} ${number}`,
    `x ${x.toFixed(1)}, y ${y.toFixed(1)} px`,
    `z ${z.toFixed(3)}`,
    ...(visibility === null ? [] : [`visibility ${visibility.toFixed(2)}`]),
  ];
}

/**
 * The point that is nearest to a place on the screen, near enough to be meant; or null.
 * @type {(points: Point[], matrix: DOMMatrix, place: Place) => Point | null}
 */
function pointNear(points, matrix, place) {
  /** @type {Point | null} */
  let nearest = null;
  let least = REACH;
  for (const point of points) {
    const [x, y] = [point.x * matrix.a + matrix.e, point.y * matrix.d + matrix.f];
    const distance = Math.hypot(x - place.x, y - place.y);
    if (distance < least) {
      [nearest, least] = [point, distance];
    }
  }
  return nearest;
}

/**
 * What is shown beside a point.
 * @type {(tip: HTMLElement, point: Point) => void}
 */
function fillTip(tip, point) {
  const [name, ...facts] = pointWords(point);
  tip.replaceChildren(
    element('strong', { text: name }),
    ...facts.map((fact) => element('span', { text: fact })),
  );
}
