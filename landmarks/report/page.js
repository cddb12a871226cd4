// The report's page: a summary with plots, a gallery of cards, and a detail view of one result.
//
// Text from outside never becomes markup: elements are made one by one. The types are in page.d.ts.

// --- elements ---

/** @type {<Id extends keyof PageElements>(id: Id) => HTMLElementTagNameMap[PageElements[Id]]} */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

/** @type {Make<HTMLElementTagNameMap>} */
const element = (name, attributes = {}, ...children) =>
  furnish(document.createElement(name), attributes, children);

/** @type {Make<SVGElementTagNameMap>} */
const shape = (name, attributes = {}, ...children) =>
  furnish(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);

/** @type {<New extends Element>(node: New, attributes: Attributes, children: Child[]) => New} */
function furnish(node, { text, click, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) {
      node.setAttribute(name, value === true ? '' : String(value));
    }
  }
  if (click !== undefined) {
    node.addEventListener('click', click);
  }
  if (text !== undefined) {
    node.textContent = text;
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** @type {(attributes: Attributes, ...children: Child[]) => HTMLButtonElement} */
const button = (attributes, ...children) => element('button', { type: 'button', ...attributes }, ...children);

/** @type {(node: Element, pressed: boolean) => void} */
const setPressed = (node, pressed) => node.setAttribute('aria-pressed', String(pressed));

/** @type {(event: Event, css: string) => Element | null} */
const around = ({ target }, css) => (target instanceof Element ? target.closest(css) : null);

// Shows an element by its width, and again when the width changes.
/** @type {(node: Element, show: (width: number) => void) => void} */
function onWidth(node, show) {
  let width = 0;
  new ResizeObserver(() => {
    if (node.clientWidth !== width) {
      width = node.clientWidth;
      show(width);
    }
  }).observe(node);
}

/** @type {<Name extends string, Value>(object: Partial<Record<Name, Value>>) => [Name, Value][]} */
const entriesOf = (object) => /** @type {any} */ (Object.entries(object));

/** @param {number} count */
const range = (count) => [...Array(count).keys()];

/** @type {(low: number, value: number, high: number) => number} */
const clamp = (low, value, high) => Math.max(low, Math.min(value, high));

// --- data: the list is read at once, a result's photo and landmarks when they are needed ---

/** @type {ReportData} */
const report = JSON.parse(byId('report').textContent);
const { edges, colours, names, columns, visible: VISIBLE } = report.drawing;

const results = report.results.map((record, index) => ({
  ...record,
  index,
  searched: `${record.key}\n${record.code ?? ''}`.toLowerCase(),
}));

// Items of workers that look for one person don't say how many they found.
const SEVERAL_PEOPLE = report.summary.people !== null;

/** @param {Result} result */
function contentOf(result) {
  /** @type {ResultContent} */
  const { photo, landmarks, others = [] } = JSON.parse(byId(`result-${result.index}`).textContent);
  const encoded = [{ score: result.person_score, landmarks }, ...others];
  const people = encoded.map(({ score, landmarks: groups }, number) => ({
    number,
    score,
    alone: others.length === 0,
    figure: figureOf(groups),
  }));
  return { photo, people: people.filter(({ figure }) => figure.pose) };
}

/** @param {Encoded} landmarks */
function figureOf(landmarks) {
  /** @type {Figure} */
  const figure = {};
  for (const [group, encoded] of entriesOf(landmarks)) {
    figure[group] = pointsOf(encoded, columns[group]);
  }
  return figure;
}

/** Whether the box detector looked, and saw nobody where the first person is. @param {Result} result */
const isUnconfirmed = ({ people, person_score: score }) => people !== null && people > 0 && score === null;

/** @param {Result} result */
const hasSeveral = ({ people }) => people !== null && people > 1;

// x and y are parts of the photo's width and height, z has the scale of x.
/** @type {(encoded: string, width: number) => Points} */
function pointsOf(encoded, width) {
  const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  const values = new Float32Array(bytes.buffer);
  return {
    count: values.length / width,
    x: (number) => values[number * width],
    y: (number) => values[number * width + 1],
    z: (number) => values[number * width + 2],
    visibility: (number) => (width > 3 ? values[number * width + 3] : null),
  };
}

/** The photo's size, if known. @type {(result: Result) => Size | null} */
const sizeOf = ({ width, height }) => (width && height ? { width, height } : null);

/** The part of the page's address that opens a result. @param {Result} result */
const linkTo = ({ key, bucket }) =>
  `#key=${encodeURIComponent(key).replaceAll('%2F', '/')}&bucket=${encodeURIComponent(bucket)}`;

/** Opens the result that the address names. If it isn't in the report, its key is searched for. */
function openLinked() {
  // Addresses may be typed by hand: a plus is a plus.
  const link = new URLSearchParams(location.hash.slice(1).replaceAll('+', '%2B'));
  const [key, bucket] = [link.get('key'), link.get('bucket')];
  if (key === null) {
    return;
  }
  const result = results.find((one) => one.key === key && (bucket === null || one.bucket === bucket));
  if (!result) {
    select({ search: key });
  } else if (result !== detail.result) {
    openDetail(result);
  }
}

// --- words ---

/** @type {Record<string, string>} */
const STATUS_WORDS = { detected: 'Detected', not_detected: 'Nobody found', failed: 'Failed' };
const STATUSES = Object.keys(STATUS_WORDS);

// Why there is no photo: on a card, and in the detail view.
/** @type {Record<PhotoState, [string, string]>} */
const PHOTO_WORDS = {
  embedded: ['', ''],
  left_out: ['', 'This report was written without photos.'],
  refused: ['', 'Files the worker could not read are not opened for the report.'],
  changed: ['Photo has changed', 'The photo has changed since: these landmarks belong to the earlier one.'],
  gone: ['Photo is gone', 'The photo is no longer in the bucket.'],
  denied: ['No access to photo', 'The credentials used for this report may not read the photo.'],
  too_large: ['Photo too large', 'The photo is too large to include in the report.'],
  unreadable: ['Photo unreadable', 'The photo could not be decoded for the report.'],
  unavailable: ['Photo unavailable', 'S3 did not return the photo when the report was written.'],
};

/** @type {Record<Group, string>} */
const GROUP_WORDS = { pose: 'Pose', face: 'Face', left_hand: 'Left hand', right_hand: 'Right hand' };

// Control and format characters and line separators, but not the joiners that scripts and emoji need.
const INVISIBLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const integer = new Intl.NumberFormat('en');

/** Text from outside, with invisible characters written out. @param {string} text */
const visible = (text) => text.replace(INVISIBLE, (mark) => `\\u{${mark.codePointAt(0)?.toString(16)}}`);

/** @param {string} status */
const statusWords = (status) => STATUS_WORDS[status] ?? visible(status);

/** @param {string} status */
const statusLabel = (status) =>
  element('span', { class: 'label' }, element('span', { class: `dot ${status}` }), statusWords(status));

/** @param {number} number */
const countResults = (number) => `${integer.format(number)} result${number === 1 ? '' : 's'}`;

/** @param {number} number */
const countPeople = (number) => (number === 1 ? '1 person' : `${integer.format(number)} people`);

/** @param {number} ms */
const milliseconds = (ms) => `${integer.format(Math.round(ms))} ms`;

/** 2026-01-02 03:04:05 UTC @param {Moment} iso */
const moment = (iso) => `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;

/** Two moments; a day they share is written once. @type {(first: Moment, last: Moment) => string} */
function period(first, last) {
  const [start, end] = [moment(first), moment(last)];
  const sameDay = start.slice(0, 10) === end.slice(0, 10);
  return start === end ? start : `${start.slice(0, 19)} – ${sameDay ? end.slice(11) : end}`;
}

/** Only none is 0% and only all is 100%. @type {(part: number, whole: number) => string} */
function percent(part, whole) {
  const share = (100 * part) / whole;
  if (part > 0 && share < 1) {
    return '< 1%';
  }
  return part < whole && share > 99 ? '> 99%' : `${Math.round(share)}%`;
}

/** @param {number} bytes */
function fileSize(bytes) {
  if (bytes < 1000) {
    return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  }
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** A key's file name and folder. @param {string} key */
function keyParts(key) {
  const slash = key.replace(/\/+$/, '').lastIndexOf('/') + 1;
  return { name: visible(key.slice(slash)), folder: visible(key.slice(0, slash)) };
}

// --- selection: which results are in the gallery, and in which order ---

// What results are sorted by, smallest first. Those without a value come last.
/** @type {Record<Sort, (result: Result) => number | string>} */
const RANKS = {
  newest: ({ index }) => index,
  key: ({ key }) => key,
  best: ({ score }) => -(score ?? -Infinity),
  worst: ({ score }) => score ?? Infinity,
  slowest: ({ ms }) => -(ms?.total ?? -Infinity),
};

/** @type {GallerySelection} */
const selection = { search: '', outcome: null, traits: new Set(), sort: 'newest', results };

const LOW_SCORE = 0.7;

/** @type {Record<Trait, { words: string, about: string, matches: (result: Result) => boolean }>} */
const TRAITS = {
  face: { words: 'With face', about: 'a face was found', matches: ({ face }) => face },
  hands: { words: 'With hands', about: 'a hand was found', matches: ({ hands }) => hands },
  several: { words: 'Several people', about: 'more than one person was found', matches: hasSeveral },
  unconfirmed: {
    words: 'Unconfirmed',
    about: 'the box detector saw nobody where the first person is',
    matches: isUnconfirmed,
  },
  low: {
    words: 'Low score',
    about: `the score is below ${LOW_SCORE}`,
    matches: ({ score }) => score !== null && score < LOW_SCORE,
  },
  truncated: { words: 'Truncated', about: 'the file was cut off', matches: ({ truncated }) => truncated },
};

/** @param {Partial<GallerySelection>} change */
function select(change) {
  Object.assign(selection, change);
  const terms = selection.search.toLowerCase().split(/\s+/).filter(Boolean);
  const rank = RANKS[selection.sort];
  selection.results = results
    .filter((result) => selection.outcome === null || result.status === selection.outcome)
    .filter((result) => [...selection.traits].every((trait) => TRAITS[trait].matches(result)))
    .filter((result) => terms.every((term) => result.searched.includes(term)))
    .sort((a, b) => (rank(a) < rank(b) ? -1 : Number(rank(a) > rank(b))));
  if (byId('search').value !== selection.search) {
    byId('search').value = selection.search;
  }
  for (const filter of document.querySelectorAll('button[data-outcome]')) {
    setPressed(filter, filter.getAttribute('data-outcome') === (selection.outcome ?? 'all'));
  }
  for (const filter of document.querySelectorAll('button[data-trait]')) {
    setPressed(filter, selection.traits.has(/** @type {Trait} */ (filter.getAttribute('data-trait'))));
  }
  showSelected();
}

/** Shows only this outcome; if it is selected already, all of them. @param {string} status */
const toggleOutcome = (status) => select({ outcome: selection.outcome === status ? null : status });

// --- layers: what is drawn, in all pictures of the page ---

/** @type {{ name: Layer, key: string, words: string, about: string }[]} */
const LAYERS = [
  { name: 'pose', key: '1', words: 'Pose', about: 'the pose' },
  { name: 'face', key: '2', words: 'Face', about: 'the face' },
  { name: 'hands', key: '3', words: 'Hands', about: 'the hands (one colour per finger)' },
  { name: 'photo', key: '4', words: 'Photo', about: 'the photo (dimmed when off)' },
  {
    name: 'guessed',
    key: '5',
    words: 'Low visibility',
    about: `pose points with a visibility below ${VISIBLE}`,
  },
];
if (SEVERAL_PEOPLE) {
  LAYERS.push({ name: 'boxes', key: '6', words: 'Boxes', about: 'boxes around people, with numbers' });
}

/** @type {Record<Layer, boolean>} */
const layers = { pose: true, face: true, hands: true, photo: true, guessed: true, boxes: false };

/** @param {Group} group */
const isDrawn = (group) => layers[group === 'pose' || group === 'face' ? group : 'hands'];

/** @param {Layer} name */
function toggleLayer(name) {
  layers[name] = !layers[name];
  document.querySelectorAll(`.layer.${name}`).forEach((node) => setPressed(node, layers[name]));
  repaintCards();
  drawPicture();
}

/** @param {typeof LAYERS[number]} layer */
function layerButton({ name, key, words, about }) {
  const attributes = {
    class: `layer ${name}`,
    title: `Toggle ${about}: key ${key}`,
    'aria-keyshortcuts': key,
    'aria-pressed': String(layers[name]),
    click: () => toggleLayer(name),
  };
  return button(attributes, element('span', { class: 'swatch' }), words);
}

/** Which colour is which side, in sight wherever there are pictures. @returns {Element[]} */
const sides = () =>
  [
    ['Left', colours.left],
    ['Right', colours.right],
  ].map(([words, colour]) => {
    const swatch = element('span', { class: 'swatch' });
    swatch.style.background = rgb(/** @type {Colour} */ (colour));
    return element('span', { title: 'The side of the person, not of the picture' }, swatch, String(words));
  });

// --- strokes: a figure as lines and dots, by the rules of landmarks/drawing/canvas.py ---

const OPACITY = { feature: 0.88, halo: 0.5, guessed: 0.5, mesh: 0.42 };

// The joints of the pose that face and hands show better by landmarks of their own.
const BETTER = {
  face: new Set(range(11)),
  left_hand: new Set([17, 19, 21]),
  right_hand: new Set([18, 20, 22]),
};

// On a card, people in a crowd would else be drawn with hairlines.
const FINEST_BONE = 0.8;

// A refined face has irises after these.
const UNREFINED_FACE_POINTS = 468;

/** @param {Colour} colour */
const rgb = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

/** The colours of a person; the first person is number 0. @type {(number: number) => Palette} */
function paletteOf(number) {
  if (number === 0) {
    return { left: colours.left, right: colours.right, middle: colours.middle, oval: colours.face.oval };
  }
  const own = colours.others[(number - 1) % colours.others.length];
  return { left: own, right: own, middle: own, oval: own };
}

// MediaPipe's odd joints are on the left, even ones on the right. The head has no side.
/** @type {(palette: Palette, ...joints: number[]) => Colour} */
function sideOf({ left, right, middle }, ...joints) {
  if (joints.some((joint) => joint % 2 !== joints[0] % 2 || BETTER.face.has(joint))) {
    return middle;
  }
  return joints[0] % 2 ? left : right;
}

/** Only the pose has a visibility. @type {(points: Points, number: number) => boolean} */
const isGuessed = (points, number) => (points.visibility(number) ?? 1) < VISIBLE;

/** @type {(figure: Figure, joint: number) => boolean} */
const isShownBetter = (figure, joint) =>
  entriesOf(BETTER).some(([group, joints]) => group in figure && isDrawn(group) && joints.has(joint));

/** From bottom to top, in pixels of the frame. @type {(person: Person, frame: Size) => Stroke[]} */
function strokesOf(person, frame) {
  const { number, figure } = person;
  const { pose, face, left_hand: left, right_hand: right } = figure;
  const palette = paletteOf(number);
  return [
    ...(pose && layers.pose ? poseStrokes(person, pose, frame, palette) : []),
    ...(face && layers.face ? faceStrokes(face, frame, palette) : []),
    ...(left && layers.hands ? handStrokes(left, frame, palette.left) : []),
    ...(right && layers.hands ? handStrokes(right, frame, palette.right) : []),
    ...boxStrokes(pose, frame, palette.left),
  ];
}

/** The box around these points, in parts of the picture. @type {(points: Points, wanted: number[]) => Frame} */
function extentOf(points, wanted) {
  const [x, y] = [wanted.map(points.x), wanted.map(points.y)];
  const [left, top] = [Math.min(...x), Math.min(...y)];
  return { left, top, width: Math.max(...x) - left, height: Math.max(...y) - top };
}

/** The box around what is visible of a person. @type {(pose: Points) => Frame | null} */
function boxOf(pose) {
  const seen = range(pose.count).filter((joint) => !isGuessed(pose, joint));
  return seen.length ? extentOf(pose, seen) : null;
}

// A fraction of the frame's size, or less where the group itself is small.
/** @type {(points: Points, frame: Size, ofFrame: number, ofGroup: number) => number} */
function lineWidth(points, frame, ofFrame, ofGroup) {
  const { width, height } = extentOf(points, range(points.count));
  const extent = Math.hypot(width * frame.width, height * frame.height);
  const usual = Math.sqrt(frame.width * frame.height) / ofFrame;
  return Math.min(usual, Math.max(frame.width / 1280, extent / ofGroup));
}

// Pens for lines between pairs of points, and for dots at points.
/** @type {(points: Points, frame: Size) => { lines: Pen, dots: Pen }} */
function pensOf(points, frame) {
  /** @type {(kind: 'lines' | 'dots') => Pen} */
  const pen =
    (kind) =>
    (numbers, colour, width, opacity = 1) => {
      const places = numbers.flatMap((number) => [
        points.x(number) * frame.width,
        points.y(number) * frame.height,
      ]);
      return { kind, places, colour: rgb(colour), width, opacity };
    };
  return { lines: pen('lines'), dots: pen('dots') };
}

/** @type {(pose: Points | undefined, frame: Size, colour: Colour) => Stroke[]} */
function boxStrokes(pose, frame, colour) {
  const box = pose && layers.boxes ? boxOf(pose) : null;
  if (box === null) {
    return [];
  }
  const [left, top] = [box.left * frame.width, box.top * frame.height];
  const [right, bottom] = [left + box.width * frame.width, top + box.height * frame.height];
  const places = [left, top, right, top, right, top, right, bottom];
  places.push(right, bottom, left, bottom, left, bottom, left, top);
  return [{ kind: 'lines', places, colour: rgb(colour), width: frame.width / 450, opacity: 1 }];
}

/** @type {(person: Person, pose: Points, frame: Size, palette: Palette) => Stroke[]} */
function poseStrokes({ figure, alone }, pose, frame, palette) {
  const width = Math.max(lineWidth(pose, frame, 160, 120), alone ? 0 : FINEST_BONE);
  const joints = range(pose.count).filter((joint) => !isShownBetter(figure, joint));
  const body = joints.filter((joint) => !BETTER.face.has(joint));
  const head = joints.filter((joint) => BETTER.face.has(joint));
  return [
    ...boneStrokes(pose, frame, body, width, palette),
    ...boneStrokes(pose, frame, head, width / 2, palette),
  ];
}

/** @type {(pose: Points, frame: Size, joints: number[], width: number, palette: Palette) => Stroke[]} */
function boneStrokes(pose, frame, joints, width, palette) {
  const { lines, dots } = pensOf(pose, frame);
  const bones = edges.pose.filter((bone) => bone.every((joint) => joints.includes(joint)));
  const clear = bones.filter((bone) => !bone.some((joint) => isGuessed(pose, joint)));
  const guessed = layers.guessed ? bones.filter((bone) => !clear.includes(bone)) : [];
  const seen = joints.filter((joint) => !isGuessed(pose, joint));
  return [
    ...guessed.map((bone) => lines(bone, sideOf(palette, ...bone), width * 0.6, OPACITY.guessed)),
    lines(clear.flat(), colours.halo, width * 1.9, OPACITY.halo),
    ...clear.map((bone) => lines(bone, sideOf(palette, ...bone), width)),
    dots(seen, colours.halo, width * 2.3),
    ...seen.map((joint) => dots([joint], sideOf(palette, joint), width * 1.6)),
  ];
}

/** @type {(face: Points, frame: Size, palette: Palette) => Stroke[]} */
function faceStrokes(face, frame, { oval }) {
  const { lines } = pensOf(face, frame);
  const width = lineWidth(face, frame, 350, 150);
  const refined = face.count > UNREFINED_FACE_POINTS;
  return [
    lines(edges.face_mesh.flat(), colours.mesh, width * 0.4, OPACITY.mesh),
    ...entriesOf(edges.face).map(([part, pairs]) =>
      lines(pairs.flat(), { ...colours.face, oval }[part], width, OPACITY.feature),
    ),
    ...(refined ? [lines(edges.irises.flat(), colours.irises, width)] : []),
  ];
}

/** @type {(hand: Points, frame: Size, side: Colour) => Stroke[]} */
function handStrokes(hand, frame, side) {
  const { lines, dots } = pensOf(hand, frame);
  const width = lineWidth(hand, frame, 220, 45);
  const joints = range(hand.count);
  return [
    lines(Object.values(edges.hand).flat(2), colours.halo, width * 1.9, OPACITY.halo),
    ...entriesOf(edges.hand).map(([part, pairs]) => lines(pairs.flat(), colours.hand[part], width)),
    dots(joints, colours.halo, width * 2),
    dots(joints, side, width * 1.4),
  ];
}

// --- small pictures, on a canvas ---

const DIMMED = 0.16; // how much of its light a photo keeps when it is toggled off
const MAX_DENSITY = 2; // a phone's higher density would cost memory and show no more

/** @type {(canvas: HTMLCanvasElement, size: Size, photo: HTMLImageElement | null, people: Person[]) => void} */
function paint(canvas, size, photo, people) {
  const density = Math.min(window.devicePixelRatio || 1, MAX_DENSITY);
  const box = { width: canvas.clientWidth, height: canvas.clientHeight };
  const scale = Math.min(box.width / size.width, box.height / size.height);
  const frame = { width: size.width * scale, height: size.height * scale };
  const [left, top] = [(box.width - frame.width) / 2, (box.height - frame.height) / 2];
  canvas.width = Math.round(box.width * density);
  canvas.height = Math.round(box.height * density);
  const context = /** @type {Context} */ (canvas.getContext('2d'));
  context.scale(density, density);
  if (photo !== null) {
    paintPhoto(context, photo, { left, top, ...frame }, box);
  }
  context.translate(left, top);
  context.lineCap = 'round';
  for (const person of people.toReversed()) {
    strokesOf(person, frame).forEach((stroke) => paintStroke(context, stroke));
  }
  if (layers.boxes) {
    people.forEach((person) => paintNumber(context, frame, person));
  }
}

/** The person's number, in the box's upper left corner. @type {(context: Context, frame: Size, person: Person) => void} */
function paintNumber(context, frame, { number, figure }) {
  const box = figure.pose && boxOf(figure.pose);
  if (!box) {
    return;
  }
  const text = String(number + 1);
  const [left, top] = [box.left * frame.width, box.top * frame.height];
  context.globalAlpha = 1;
  context.font = 'bold 9px sans-serif';
  context.textBaseline = 'top';
  context.fillStyle = rgb(paletteOf(number).left);
  context.fillRect(left, top, context.measureText(text).width + 4, 11);
  context.fillStyle = rgb(colours.halo);
  context.fillText(text, left + 2, top + 1.5);
}

// The photo, and beside it a faint blur of its own colours.
/** @type {(context: Context, photo: HTMLImageElement, frame: Frame, box: Size) => void} */
function paintPhoto(context, photo, frame, box) {
  const light = layers.photo ? 1 : DIMMED;
  const blur = new OffscreenCanvas(6, 6);
  blur.getContext('2d')?.drawImage(photo, 0, 0, 6, 6);
  context.imageSmoothingQuality = 'high';
  context.globalAlpha = 0.35 * light;
  context.drawImage(blur, 1, 1, 4, 4, 0, 0, box.width, box.height);
  context.clearRect(frame.left, frame.top, frame.width, frame.height);
  context.globalAlpha = light;
  context.drawImage(photo, frame.left, frame.top, frame.width, frame.height);
}

/** @type {(context: Context, stroke: Stroke) => void} */
function paintStroke(context, { kind, places, colour, width, opacity }) {
  context.globalAlpha = opacity;
  context.beginPath();
  if (kind === 'lines') {
    for (let at = 0; at < places.length; at += 4) {
      context.moveTo(places[at], places[at + 1]);
      context.lineTo(places[at + 2], places[at + 3]);
    }
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  } else {
    for (let at = 0; at < places.length; at += 2) {
      context.moveTo(places[at] + width / 2, places[at + 1]);
      context.arc(places[at], places[at + 1], width / 2, 0, 2 * Math.PI);
    }
    context.fillStyle = colour;
    context.fill();
  }
}

// --- summary ---

function fillSummary() {
  const { title, summary } = report;
  const { total, outcomes } = summary;
  document.title = visible(title);
  byId('title').textContent = visible(title);
  byId('facts').append(...reportFacts().map((fact) => element('li', { text: fact })));
  byId('total').textContent = integer.format(total);
  byId('total-words').textContent = total === 1 ? 'result' : 'results';
  if (summary.people) {
    byId('people-words').textContent = peopleWords(summary.people);
  }
  if (results.length < total) {
    byId('shown-words').textContent =
      `Showing the newest ${integer.format(results.length)} of ${integer.format(total)}`;
  }
  for (const status of STATUSES.filter((one) => outcomes[one])) {
    fillOutcome(status, outcomes[status], total);
  }
  const plots = byId('plots');
  plots.append(
    histogram('Processing time', summary.durations, {
      axis: 'total duration, ms',
      tick: (ms) => integer.format(ms),
      words: milliseconds,
    }),
    histogram('Detection score', summary.scores, {
      axis: 'pose score, 0 to 1',
      tick: (score) => score.toFixed(2),
      words: (score) => score.toFixed(2),
    }),
    failures(summary.codes),
  );
  // In a narrow window the plots scroll sideways: then Tab has to stop at them, in Safari too.
  onWidth(plots, (width) => plots.setAttribute('tabindex', plots.scrollWidth > width ? '0' : '-1'));
}

/** @param {PeopleData} people */
function peopleWords({ total, several, unconfirmed }) {
  const facts = [countPeople(total), `several people in ${countResults(several)}`];
  return [...facts, ...(unconfirmed ? [`${integer.format(unconfirmed)} unconfirmed`] : [])].join(' · ');
}

function reportFacts() {
  const { title, selection: wanted, summary, made } = report;
  return [
    `table ${visible(wanted.table)}`,
    ...(wanted.place && wanted.place !== title ? [visible(wanted.place)] : []),
    ...(summary.first && summary.last ? [`processed ${period(summary.first, summary.last)}`] : []),
    ...(wanted.status ? [`only ${wanted.status}`] : []),
    ...(wanted.since ? [`since ${moment(wanted.since)}`] : []),
    ...optionsFacts(summary.options),
    `written ${moment(made)}`,
  ];
}

/** @param {OptionsCount[]} options */
function optionsFacts(options) {
  /** @param {OptionsCount} one */
  const words = ({ hash, model }) => (model ? modelWords(model) : `options ${visible(hash)}`);
  if (options.length === 1) {
    return [words(options[0])];
  }
  const each = options.map((one) => {
    const alike = options.filter((other) => words(other) === words(one)).length > 1; // MAX_PEOPLE is not in the words
    return `${words(one)}${alike ? `, options ${visible(one.hash)}` : ''} (${integer.format(one.count)})`;
  });
  return each.length ? [`${each.length} different settings, not comparable: ${each.join('; ')}`] : [];
}

/** Settings that are not the defaults are named. @param {Model} model */
function modelWords(model) {
  const { min_detection_confidence: detection, min_landmark_confidence: landmark } = model;
  return [
    `MediaPipe ${visible(model.mediapipe_version)}`,
    `complexity ${model.model_complexity}`,
    ...(model.refine_face_landmarks ? ['refined faces'] : []),
    ...(detection === 0.5 && landmark === 0.5 ? [] : [`confidences ${detection} and ${landmark}`]),
    ...(model.architecture === 'x86_64' ? [] : [`on ${visible(model.architecture)}`]),
  ].join(', ');
}

/** @type {(status: string, count: number, total: number) => void} */
function fillOutcome(status, count, total) {
  const attributes = { 'data-outcome': status, click: () => toggleOutcome(status) };
  // For the pointer only: the legend says and does the same.
  const part = button({ ...attributes, class: `fill ${status}`, tabindex: -1, title: STATUS_WORDS[status] });
  part.style.setProperty('--share', String(count / total));
  const number = element('strong', { text: integer.format(count) });
  const share = element('span', { class: 'muted', text: percent(count, total) });
  byId('outcome-bar').append(part);
  byId('outcome-legend').append(button(attributes, statusLabel(status), number, share));
}

// --- plots ---

const PLOT_HEIGHT = 132;
const MARGIN = { left: 40, right: 18, top: 10, bottom: 36 };
const TICK_PIXELS = 56; // the width of a label at the axis

/** @type {(title: string, draw: (width: number) => Element[]) => HTMLElement} */
function plot(title, draw) {
  const drawing = element('div');
  onWidth(drawing, (width) => drawing.replaceChildren(...draw(width)));
  return element('figure', { class: 'panel plot' }, element('figcaption', { text: title }), drawing);
}

/** @type {(title: string, data: Histogram | null, labels: Labels) => HTMLElement} */
function histogram(title, data, labels) {
  if (data === null) {
    return plot(title, () => [element('p', { class: 'muted nothing unknown', text: 'No data.' })]);
  }
  return plot(title, (width) => [bars(data, width, labels), marks(data, labels.words)]);
}

/** @type {(data: Histogram, width: number, labels: Labels) => Element} */
function bars(data, width, { axis, tick, words }) {
  const counts = data.beyond > 0 ? [...data.counts, data.beyond] : data.counts;
  const most = Math.max(...counts);
  const [right, bottom] = [width - MARGIN.right, PLOT_HEIGHT - MARGIN.bottom];
  /** @type {Scale} */
  const x = (bar) => MARGIN.left + ((right - MARGIN.left) * bar) / counts.length;
  /** @type {Scale} */
  const y = (count) => MARGIN.top + (bottom - MARGIN.top) * (1 - count / most);
  /** @type {(name: 'median' | 'p95') => Element} */
  const mark = (name) => {
    const at = x(Math.min((data[name] - data.start) / data.step, counts.length - 0.5));
    return shape('line', { class: `mark ${name}`, x1: at, x2: at, y1: MARGIN.top - 6, y2: bottom });
  };
  const summary = `${axis}: median ${words(data.median)}, 95th percentile ${words(data.p95)}`;
  return shape(
    'svg',
    { width, height: PLOT_HEIGHT, role: 'img', 'aria-label': summary },
    ...countAxis(most, y, right),
    ...counts.map((count, number) => barShape(data, number, count, x, y, words)),
    ...valueTicks(data, counts.length, x, tick),
    centred('axis', (MARGIN.left + right) / 2, PLOT_HEIGHT - 2, axis),
    mark('median'),
    mark('p95'),
  );
}

/** @type {(name: string, x: number, y: number, text: string) => SVGTextElement} */
const centred = (name, x, y, text) => shape('text', { class: name, x, y, 'text-anchor': 'middle', text });

/** @type {(data: Histogram, number: number, count: number, x: Scale, y: Scale, words: Words) => Element} */
function barShape(data, number, count, x, y, words) {
  const width = x(1) - x(0);
  const gap = width > 6 ? 1 : 0.25;
  const height = count ? Math.max(1, y(0) - y(count)) : 0;
  const from = data.start + number * data.step;
  const beyond = number >= data.counts.length;
  const values = beyond
    ? `over ${words(from)}, up to ${words(data.max)}`
    : `${words(from)} to ${words(from + data.step)}`;
  return shape(
    'rect',
    {
      class: beyond ? 'value beyond' : 'value',
      x: x(number) + gap,
      y: y(0) - height,
      width: Math.max(0.5, width - 2 * gap),
      height,
      rx: Math.min(2, width / 4),
    },
    shape('title', { text: `${values}: ${countResults(count)}` }),
  );
}

/** @type {(most: number, y: Scale, right: number) => Element[]} */
function countAxis(most, y, right) {
  const title = centred('axis', -(MARGIN.top + y(0)) / 2, 9, 'results');
  title.setAttribute('transform', 'rotate(-90)');
  const ticks = (most > 1 ? [0, Math.floor(most / 2), most] : [0, most]).flatMap((count) => [
    shape('line', { class: 'grid', x1: MARGIN.left, x2: right, y1: y(count), y2: y(count) }),
    shape('text', {
      class: 'tick',
      x: MARGIN.left - 6,
      y: y(count) + 3.5,
      'text-anchor': 'end',
      text: integer.format(count),
    }),
  ]);
  return [...ticks, title];
}

/** As many labels as fit. @type {(data: Histogram, columns: number, x: Scale, tick: Words) => Element[]} */
function valueTicks(data, bins, x, tick) {
  const every = Math.ceil(bins / Math.max(2, Math.floor((x(bins) - x(0)) / TICK_PIXELS)));
  return range(bins + 1)
    .filter((number) => number % every === 0)
    .map((number) => {
      const text = tick(data.start + number * data.step);
      return centred('tick', x(number), PLOT_HEIGHT - MARGIN.bottom + 14, text);
    });
}

/** @type {(data: Histogram, words: Words) => Element} */
function marks(data, words) {
  /** @type {(name: 'median' | 'p95', label: string) => Element} */
  const mark = (name, label) => {
    const line = element('span', { class: `mark ${name}` });
    return element('span', {}, line, `${label} `, element('strong', { text: words(data[name]) }));
  };
  return element('p', { class: 'marks' }, mark('median', 'median'), mark('p95', '95th percentile'));
}

/** How many failed for which reason. @param {SummaryData['codes']} codes */
function failures(codes) {
  const rows = codes.map(([code, count]) => failureRow(code, count, codes[0][1]));
  return plot('Failures by error code', () => [
    rows.length
      ? element('ul', { class: 'codes' }, ...rows)
      : element('p', { class: 'muted nothing', text: 'No failures.' }),
  ]);
}

/** @type {(code: string, count: number, most: number) => Element} */
function failureRow(code, count, most) {
  const share = shape('rect', { class: 'value', width: Math.max(1, (100 * count) / most), height: 6 });
  const stretched = { viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' };
  const row = button(
    { title: 'Search for this code', click: () => select({ search: code }) },
    element('span', { class: 'code', text: visible(code) }),
    element('strong', { text: integer.format(count) }),
    shape('svg', stretched, share),
  );
  return element('li', {}, row);
}

// --- toolbar ---

function fillToolbar() {
  const [search, sort] = [byId('search'), byId('sort')];
  search.addEventListener('input', () => select({ search: search.value }));
  sort.addEventListener('change', () => select({ sort: /** @type {Sort} */ (sort.value) }));
  byId('reset').addEventListener('click', () => select({ search: '', outcome: null, traits: new Set() }));
  byId('fold').addEventListener('click', () => {
    const open = byId('toolbar').classList.toggle('open');
    byId('fold').setAttribute('aria-expanded', String(open));
  });
  byId('outcomes').append(
    outcomeButton('all', 'All', null),
    ...STATUSES.map((status) => outcomeButton(status, STATUS_WORDS[status], status)),
  );
  const traits = entriesOf(TRAITS).filter(([, { matches }]) => results.some(matches));
  byId('traits').hidden = traits.length === 0;
  byId('traits').append(...traits.map(([name]) => traitButton(name)));
  byId('layers').append(...LAYERS.map(layerButton));
  byId('sides').append(...sides());
  // Wide enough for what it says later, so that nothing beside it moves.
  byId('count').style.minWidth = `${`${results.length} of ${countResults(results.length)}`.length}ch`;
  fillTheme();
}

/** @type {(name: string, words: string, outcome: string | null) => HTMLButtonElement} */
function outcomeButton(name, words, outcome) {
  const count = results.filter(({ status }) => outcome === null || status === outcome).length;
  const number = element('span', { class: 'number', text: integer.format(count) });
  return button({ class: name, 'data-outcome': name, click: () => select({ outcome }) }, words, number);
}

/** Shows only such results; pressed again, others too. @param {Trait} name */
function traitButton(name) {
  const { words, about, matches } = TRAITS[name];
  const number = element('span', { class: 'number', text: integer.format(results.filter(matches).length) });
  const click = () => {
    selection.traits[selection.traits.has(name) ? 'delete' : 'add'](name);
    select({});
  };
  return button({ class: name, 'data-trait': name, title: `Only where ${about}`, click }, words, number);
}

/** Light or dark as the system has it, until the button is pressed. Nothing is stored. */
function fillTheme() {
  const theme = byId('theme');
  const root = document.documentElement;
  const systemDark = matchMedia('(prefers-color-scheme: dark)');
  const other = () =>
    (root.dataset.theme ?? (systemDark.matches ? 'dark' : 'light')) === 'dark' ? 'Light' : 'Dark';
  const name = () => {
    theme.textContent = other();
  };
  theme.addEventListener('click', () => {
    root.dataset.theme = other().toLowerCase();
    name();
  });
  systemDark.addEventListener('change', name);
  name();
}

// --- gallery: a card for each result, painted while it is near the window ---

const AHEAD = '600px 0px'; // how far outside of the window cards are painted
const PAINTING_MS = 7; // of each frame of 16 ms; the rest is the browser's

const cards = results.map(cardOf);
const cardsByItem = new Map(cards.map((card) => [/** @type {Element | null} */ (card.item), card]));

/** @type {Set<Card>} */
const unpainted = new Set();

/** The one card that Tab stops at; arrow keys move to the others. @type {Card | null} */
let tabStop = null;

/** @type {(result: Result) => Card} */
function cardOf(result) {
  const size = sizeOf(result);
  const canvas = element('canvas', { 'aria-hidden': 'true' });
  const node = button(
    {
      class: `card ${result.status}`,
      tabindex: -1,
      'aria-haspopup': 'dialog',
      'aria-label': cardWords(result),
    },
    element('span', { class: 'picture' }, size && canvas, noteOnCard(result), markOnCard(result)),
  );
  // Beside the button, because text in a button can't be selected.
  const caption = element('div', { class: 'caption' }, ...keyLines(result), factsLine(result));
  const item = element('li', { class: result.status }, node, caption);
  return { result, size, canvas, button: node, item, near: false, content: null, photo: null };
}

/** The name, and the folder on a line of its own. @param {Result} result */
function keyLines({ key }) {
  const { name, folder } = keyParts(key);
  const title = visible(key);
  return [
    element('p', { class: 'key', title }, element('bdi', { text: name })),
    element('p', { class: 'folder muted', title }, element('bdi', { text: folder || '\u00a0' })),
  ];
}

/** @param {Result} result */
function factsLine({ status, score, ms, truncated }) {
  const facts = [truncated && 'truncated', score?.toFixed(2), ms && milliseconds(ms.total)];
  const text = facts.filter(Boolean).join(' · ');
  return element('p', { class: 'facts' }, statusLabel(status), element('span', { text }));
}

/** @param {Result} result */
function noteOnCard(result) {
  if (result.status === 'failed') {
    return element('span', { class: 'reason' }, ...reasonWords(result, 'span'));
  }
  const [text] = PHOTO_WORDS[result.photo];
  const words = text || (result.photo !== 'embedded' && result.status === 'not_detected' && 'Nobody found');
  return words ? element('span', { class: 'missing', text: words }) : null;
}

/** @param {Result} result */
function markOnCard(result) {
  const text = peopleFacts(result).join(', ');
  return text ? element('span', { class: 'people', text }) : null;
}

/** @param {Result} result */
function peopleFacts(result) {
  const several = hasSeveral(result) ? [countPeople(result.people ?? 0)] : [];
  return [...several, ...(isUnconfirmed(result) ? ['unconfirmed'] : [])];
}

/** @type {(result: Result, name: 'span' | 'p') => Element[]} */
function reasonWords({ code, message }, name) {
  return [
    element('strong', { text: visible(code ?? 'FAILED') }),
    element(name, { text: visible(message ?? '') }),
  ];
}

/** @param {Result} result */
function cardWords(result) {
  const { key, status, code, score, ms, truncated } = result;
  return [
    visible(key),
    statusWords(status),
    ...peopleFacts(result),
    code && visible(code),
    score !== null && `score ${score.toFixed(2)}`,
    ms && milliseconds(ms.total),
    truncated && 'truncated',
  ]
    .filter(Boolean)
    .join(', ');
}

function fillGallery() {
  const gallery = byId('gallery');
  const observer = new IntersectionObserver((changes) => changes.forEach(noticeCard), { rootMargin: AHEAD });
  cards.filter(({ size }) => size).forEach(({ item }) => observer.observe(item));
  gallery.addEventListener('click', (event) => {
    const card = cardAround(event);
    if (card && getSelection()?.isCollapsed) {
      openDetail(card.result);
    }
  });
  gallery.addEventListener('keydown', moveFocus);
  gallery.addEventListener('focusin', (event) => makeStop(cardAround(event)));
  onWidth(gallery, repaintCards);
}

function showSelected() {
  const [shown, all] = [selection.results.length, results.length];
  byId('gallery').replaceChildren(...selection.results.map(({ index }) => cards[index].item));
  byId('count').textContent =
    shown === all ? countResults(all) : `${integer.format(shown)} of ${countResults(all)}`;
  byId('empty').hidden = shown > 0;
  byId('empty-words').textContent = all ? 'No results match.' : 'There are no results.';
  byId('reset').hidden = all === 0;
  makeStop(shown ? cards[selection.results[0].index] : undefined);
}

/** @param {IntersectionObserverEntry} change */
function noticeCard({ target, isIntersecting }) {
  const card = cardsByItem.get(target);
  if (!card) {
    return;
  }
  card.near = isIntersecting;
  if (isIntersecting) {
    paintSoon(card);
  } else if (card.content) {
    card.content = null;
    card.photo = null;
    card.canvas.classList.remove('painted');
    card.canvas.width = 0; // gives its memory back
  }
}

function repaintCards() {
  cards.filter(({ near, size }) => near && size).forEach(paintSoon);
}

/** @param {Card} card */
function paintSoon(card) {
  if (unpainted.size === 0) {
    requestAnimationFrame(paintCards);
  }
  unpainted.add(card);
}

/** Paints what fits into a frame; the rest waits for the next one. */
function paintCards() {
  const end = performance.now() + PAINTING_MS;
  for (const card of unpainted) {
    unpainted.delete(card);
    if (card.near) {
      paintOrLoad(card);
    }
    if (performance.now() > end) {
      break;
    }
  }
  if (unpainted.size > 0) {
    requestAnimationFrame(paintCards);
  }
}

/** @param {Card} card */
function paintOrLoad(card) {
  const { canvas, size, content, photo } = card;
  if (!content) {
    loadCard(card);
  } else if (size && (photo || content.photo === null)) {
    paint(canvas, size, photo, content.people);
    canvas.classList.add('painted');
  }
}

/** @param {Card} card */
async function loadCard(card) {
  const content = contentOf(card.result);
  card.content = content;
  if (content.photo !== null) {
    const photo = new Image();
    photo.src = content.photo;
    try {
      await photo.decode();
    } catch {
      content.photo = null; // short of memory, browsers refuse to decode
    }
    if (card.content !== content) {
      return; // it has left the window in the meantime
    }
    card.photo = content.photo === null ? null : photo;
  }
  paintSoon(card);
}

/** @param {Event} event */
const cardAround = (event) => cardsByItem.get(around(event, '#gallery > li'));

/** @param {Card | undefined} card */
function makeStop(card) {
  if (card) {
    tabStop?.button.setAttribute('tabindex', '-1');
    card.button.setAttribute('tabindex', '0');
    tabStop = card;
  }
}

/** @param {KeyboardEvent} event */
function moveFocus(event) {
  const row = getComputedStyle(byId('gallery')).gridTemplateColumns.split(' ').length;
  /** @type {Record<string, number | undefined>} */
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -row,
    ArrowDown: row,
    Home: -Infinity,
    End: Infinity,
  };
  const [step, shown] = [steps[event.key], selection.results];
  if (step === undefined || shown.length === 0 || hasModifier(event)) {
    return;
  }
  event.preventDefault();
  const card = cardAround(event);
  const at = card ? shown.indexOf(card.result) + step : 0;
  focusCard(shown[clamp(0, at, shown.length - 1)]);
}

/** @param {Result} result */
const focusCard = (result) => cards[result.index].button.focus();

// --- the large picture: zooming and moving by wheel, pinch, drag, buttons and keys ---

const MAX_ZOOM = 24;
const WHEEL_STEP = 0.0016;
const BUTTON_STEP = 1.5;
const PINCH_FACTOR = 5; // touchpads send a pinch as small turns of the wheel with Ctrl
const TAP_PIXELS = 6; // a finger that moves less has tapped

// The part of the picture that is shown.
const view = { size: { width: 1, height: 1 }, zoom: 1, middle: { x: 0.5, y: 0.5 } };

/** The pointers that are down, mouse or fingers. @type {Map<number, Place>} */
const pointers = new Map();

// How far they have moved, in pixels.
let moved = 0;

/** Where the mouse is while it is over the picture. @type {Place | null} */
let hovered = null;

const picture = shape('svg', {
  class: 'large',
  preserveAspectRatio: 'xMidYMid meet',
  role: 'group',
  'aria-label': 'Landmarks: up and down arrows move from point to point',
});

function fillPicture() {
  picture.addEventListener('wheel', turnWheel, { passive: false });
  picture.addEventListener('pointerdown', pressPointer);
  picture.addEventListener('pointermove', movePointer);
  picture.addEventListener('pointerup', liftPointer);
  picture.addEventListener('pointercancel', ({ pointerId }) => pointers.delete(pointerId));
  picture.addEventListener('pointerleave', leavePicture);
  picture.addEventListener('focusin', ({ target }) => {
    detail.chosen = detail.points.find(({ node }) => node === target) ?? null;
    markPoint(detail.chosen);
    if (detail.chosen) {
      reveal(detail.chosen);
    }
  });
  new ResizeObserver(showView).observe(picture);
}

/** From the picture's pixels to the screen's. By the standard there is none while it is not shown. */
const matrixOfView = () => picture.getScreenCTM() ?? new DOMMatrix();

/** @param {MouseEvent} event */
const placeOf = (event) => ({ x: event.clientX, y: event.clientY });

function showView() {
  const { size, zoom, middle } = view;
  const [width, height] = [size.width / zoom, size.height / zoom];
  middle.x = clamp(width / 2, middle.x, size.width - width / 2);
  middle.y = clamp(height / 2, middle.y, size.height - height / 2);
  picture.setAttribute('viewBox', `${middle.x - width / 2} ${middle.y - height / 2} ${width} ${height}`);
  picture.classList.toggle('zoomed', zoom > 1);
  // Lines and dots are finer in a small window, and grow a little with the zoom.
  const scale = matrixOfView().a || 1;
  const side = (Math.max(size.width, size.height) * scale) / zoom;
  const grow = clamp(0.6, side / 900, 1.2) * zoom ** 0.35;
  picture.style.setProperty('--unit', String(1 / scale));
  picture.style.setProperty('--grow', String(grow));
  placeTip();
}

/** @param {Size} size of the whole picture */
function showWhole(size) {
  Object.assign(view, { size, zoom: 1, middle: { x: size.width / 2, y: size.height / 2 } });
  showView();
}

/** What is at this place on the screen stays there. @type {(factor: number, place: Place) => void} */
function zoomBy(factor, place) {
  const { zoom, middle } = view;
  const fixed = new DOMPoint(place.x, place.y).matrixTransform(matrixOfView().inverse());
  view.zoom = clamp(1, zoom * factor, MAX_ZOOM);
  middle.x = fixed.x + ((middle.x - fixed.x) * zoom) / view.zoom;
  middle.y = fixed.y + ((middle.y - fixed.y) * zoom) / view.zoom;
  showView();
}

/** About the point with the tip, else the mouse, else the middle. @param {1 | -1} direction */
function stepZoom(direction) {
  const point = tip.hidden ? null : detail.current;
  const { x, y, width, height } = picture.getBoundingClientRect();
  const middle = { x: x + width / 2, y: y + height / 2 };
  zoomBy(BUTTON_STEP ** direction, (point && onScreen(point)) ?? hovered ?? middle);
}

/** @param {Place} point */
function onScreen({ x, y }) {
  const { a, d, e, f } = matrixOfView();
  return { x: x * a + e, y: y * d + f };
}

/** @type {(right: number, down: number) => void} */
function pan(right, down) {
  const scale = matrixOfView().a;
  view.middle.x -= right / scale;
  view.middle.y -= down / scale;
  showView();
}

/** Moves a point into sight. @param {Place} point */
function reveal({ x, y }) {
  const { size, zoom, middle } = view;
  const [width, height] = [size.width / zoom, size.height / zoom];
  if (Math.abs(x - middle.x) > width / 2 || Math.abs(y - middle.y) > height / 2) {
    view.middle = { x, y };
    showView();
  }
}

/** @param {WheelEvent} event */
function turnWheel(event) {
  event.preventDefault();
  const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 30 : event.deltaY;
  zoomBy(Math.exp(-pixels * WHEEL_STEP * (event.ctrlKey ? PINCH_FACTOR : 1)), placeOf(event));
}

/** @param {PointerEvent} event */
function pressPointer(event) {
  picture.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, placeOf(event));
  moved = pointers.size > 1 ? Infinity : 0;
}

/** @param {PointerEvent} event */
function movePointer(event) {
  const [before, now] = [pointers.get(event.pointerId), placeOf(event)];
  if (!before) {
    hovered = now;
    markNearest(now);
    return;
  }
  pointers.set(event.pointerId, now);
  const [right, down] = [now.x - before.x, now.y - before.y];
  moved += Math.hypot(right, down);
  const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
  if (others.length === 1) {
    pinch(others[0], before, now);
    pan(right / 2, down / 2);
  } else if (moved > TAP_PIXELS) {
    pan(right, down);
  }
}

/** @type {(other: Place, before: Place, now: Place) => void} */
function pinch(other, before, now) {
  /** @param {Place} place */
  const distance = (place) => Math.max(1, Math.hypot(place.x - other.x, place.y - other.y));
  const between = { x: (other.x + now.x) / 2, y: (other.y + now.y) / 2 };
  zoomBy(distance(now) / distance(before), between);
}

/** @param {PointerEvent} event */
function liftPointer(event) {
  if (pointers.delete(event.pointerId) && moved <= TAP_PIXELS) {
    markNearest(placeOf(event));
    detail.chosen = detail.current;
  }
}

function leavePicture() {
  hovered = null;
  markPoint(detail.chosen);
}

// --- detail view: one result in large, with everything that is known about it ---

/** @type {Detail} */
const detail = { result: null, content: null, person: null, points: [], current: null, chosen: null };

const tip = element('div', { class: 'tip', role: 'tooltip', hidden: true });

function fillDetail() {
  const dialog = byId('detail');
  dialog.addEventListener('close', forgetDetail);
  byId('close').addEventListener('click', () => dialog.close());
  byId('previous').addEventListener('click', () => stepDetail(-1));
  byId('next').addEventListener('click', () => stepDetail(1));
  byId('zoom-in').addEventListener('click', () => stepZoom(1));
  byId('zoom-out').addEventListener('click', () => stepZoom(-1));
  byId('zoom-reset').addEventListener('click', () => showWhole(view.size));
  byId('copy').addEventListener('click', () => copyFrom('copy', detail.result?.key ?? ''));
  byId('copy-json').addEventListener('click', () => copyFrom('copy-json', detailJson()));
  byId('download').addEventListener('click', downloadJson);
  byId('table').addEventListener('toggle', fillTable);
  byId('rows').addEventListener('click', ({ target }) => {
    const row = target instanceof Element && target.closest('tr');
    detail.points[row ? row.sectionRowIndex : -1]?.node.focus();
  });
  byId('detail-layers').append(...LAYERS.map(layerButton));
  byId('detail-sides').append(...sides());
  window.addEventListener('popstate', () => {
    if (!location.hash && dialog.open) {
      dialog.close();
    }
    history.scrollRestoration = 'auto';
  });
}

/** @param {Result} result */
function openDetail(result) {
  detail.result = result;
  detail.content = contentOf(result);
  detail.person = null;
  showResult(result);
  showPeople(detail.content.people);
  showFacts(result, detail.content.people);
  byId('stage').replaceChildren(...onStage(result));
  byId('detail').classList.toggle('plain', !result.width);
  if (byId('detail').open || location.hash) {
    history.replaceState(history.state, '', linkTo(result));
  } else {
    history.scrollRestoration = 'manual'; // Back keeps the gallery where the last result is
    history.pushState('detail', '', linkTo(result));
  }
  if (!byId('detail').open) {
    byId('detail').showModal();
  }
  drawPicture();
  showWhole(sizeOf(result) ?? { width: 1, height: 1 });
}

function forgetDetail() {
  const { result } = detail;
  Object.assign(detail, {
    result: null,
    content: null,
    person: null,
    points: [],
    current: null,
    chosen: null,
  });
  picture.replaceChildren();
  if (location.hash && history.state === 'detail') {
    history.back();
  } else if (location.hash) {
    history.replaceState(null, '', location.pathname + location.search);
  }
  if (result && selection.results.includes(result)) {
    focusCard(result);
  }
}

/** In the gallery's order. @param {1 | -1} direction */
function stepDetail(direction) {
  const shown = selection.results;
  const next = detail.result && shown[shown.indexOf(detail.result) + direction];
  if (next) {
    openDetail(next);
  }
}

/** @param {Result} result */
function onStage(result) {
  const text = PHOTO_WORDS[result.photo][1];
  if (result.width) {
    return [picture, tip, ...(text ? [element('p', { class: 'note', text })] : [])];
  }
  const why = element('p', { class: 'muted', text });
  return [element('div', { class: 'reason' }, ...reasonWords(result, 'p'), why)];
}

/** Draws one person over the others, which are dimmed; null is everyone. @param {number | null} number */
function choosePerson(number) {
  const { result, content } = detail;
  if (result && content && content.people.length > 1) {
    detail.person = number;
    for (const choice of byId('detail-people').children) {
      setPressed(choice, choice.getAttribute('data-person') === String(number ?? 'all'));
    }
    showFacts(result, content.people);
    drawPicture();
  }
}

/** From everyone to the first person, and from the last one to everyone. @param {1 | -1} direction */
function stepPerson(direction) {
  const choices = (detail.content?.people.length ?? 0) + 1;
  const at = detail.person === null ? 0 : detail.person + 1;
  const next = (at + direction + choices) % choices;
  choosePerson(next === 0 ? null : next - 1);
}

/** @param {Person[]} people */
function showPeople(people) {
  byId('detail-people').hidden = people.length < 2;
  const everyone = { 'data-person': 'all', 'aria-pressed': 'true', click: () => choosePerson(null) };
  byId('detail-people').replaceChildren(button(everyone, 'Everyone'), ...people.map(personButton));
}

/** @param {Person} person */
function personButton({ number, score }) {
  const { left, right } = paletteOf(number);
  const swatch = element('span', { class: 'swatch' });
  swatch.style.background = `linear-gradient(90deg, ${rgb(left)} 50%, ${rgb(right)} 50%)`;
  const words = element('span', { class: 'number', text: score === null ? 'unconfirmed' : score.toFixed(2) });
  const attributes = {
    'data-person': number,
    'aria-label': `Person ${number + 1}, ${score === null ? 'unconfirmed' : `score ${score.toFixed(2)}`}`,
    'aria-pressed': 'false',
    click: () => choosePerson(detail.person === number ? null : number),
  };
  return button(attributes, swatch, element('strong', { text: String(number + 1) }), words);
}

/** @param {Result} result */
function showResult(result) {
  const { key, status } = result;
  const [at, count] = [selection.results.indexOf(result), selection.results.length];
  byId('previous').disabled = at <= 0;
  byId('next').disabled = at < 0 || at === count - 1;
  byId('detail-place').textContent = at < 0 ? '' : `${integer.format(at + 1)} of ${integer.format(count)}`;
  const { name, folder } = keyParts(key);
  byId('detail-key').title = visible(key);
  byId('detail-key').replaceChildren(element('bdi', { text: name }));
  byId('detail-folder').textContent = folder;
  byId('detail-status').className = `badge ${status}`;
  byId('detail-status').textContent = statusWords(status);
  byId('detail-unconfirmed').hidden = !isUnconfirmed(result);
  const found = status === 'detected';
  byId('detail-layers').hidden = byId('detail-sides').hidden = byId('table').hidden = !found;
  byId('advice').hidden = status !== 'not_detected';
  byId('advice').textContent = nobodyWords(result);
  byId('copy').textContent = 'Copy key';
  byId('about').scrollTop = 0;
}

/** Why nobody was found, and what to try. @param {Result} result */
function nobodyWords(result) {
  const least = modelOf(result)?.min_detection_confidence;
  return [
    `The person detector saw nobody${least ? ` with a score of at least ${least}` : ''}.`,
    'Photos of whole people, upright and large, work best. To find more, try',
    ...(result.people === null ? ['MAX_PEOPLE=16, which also finds small people, or'] : []),
    'a lower MIN_DETECTION_CONFIDENCE.',
  ].join(' ');
}

/** @type {(result: Result, people: Person[]) => void} */
function showFacts(result, people) {
  const facts = [...personFacts(result, people), ...detailFacts(result)];
  byId('detail-facts').replaceChildren(
    ...facts.flatMap(([name, text]) =>
      text ? [element('dt', { text: name }), element('dd', { text: visible(text) })] : [],
    ),
  );
}

/** Facts of the chosen person, or how many there are. @type {(result: Result, people: Person[]) => Fact[]} */
function personFacts(result, people) {
  if (people.length > 1 && detail.person === null) {
    return [['Found', countPeople(people.length)]];
  }
  const { number, figure, score } = people[detail.person ?? 0] ?? { number: 0, figure: {}, score: null };
  const found = entriesOf(figure).map(([group, { count }]) => `${GROUP_WORDS[group]}: ${count} points`);
  return [
    ['Person', people.length > 1 ? `${number + 1} of ${people.length}` : null],
    ['Found', found.join(', ')],
    ['Score', result.score === null || number > 0 ? null : result.score.toFixed(3)],
    ['Box score', score === null ? null : score.toFixed(3)],
  ];
}

/** @type {(result: Result) => Fact[]} */
function detailFacts(result) {
  const { ms, processed, modified } = result;
  const steps = ms && `fetch ${milliseconds(ms.fetch)}, detect ${milliseconds(ms.detect)}`;
  return [
    ['Error', result.code],
    ['Reason', result.message],
    ['Photo', imageWords(result)],
    ['Time', ms && `${milliseconds(ms.total)} (${steps})`],
    ['Processed', processed && moment(processed)],
    ['Uploaded', modified && moment(modified)],
    ['Bucket', result.bucket],
    ['ETag', result.etag],
    ['Version', result.version],
    ['Job', result.job],
    ['Settings', modelOf(result) ? modelWords(/** @type {Model} */ (modelOf(result))) : result.options],
  ];
}

/** What the result was computed with, if it says so. @param {Result} result */
const modelOf = (result) => report.summary.options.find(({ hash }) => hash === result.options)?.model ?? null;

/** @param {Result} result */
function imageWords({ width, height, format, bytes, truncated }) {
  const size = width && height && `${integer.format(width)} × ${integer.format(height)} px`;
  const facts = [size, format, bytes !== null && fileSize(bytes), truncated && 'truncated'];
  return facts.filter(Boolean).join(', ');
}

/** Copies, and says so on the button for a while. @type {(id: 'copy' | 'copy-json', text: string) => Promise<void>} */
async function copyFrom(id, text) {
  const copied = await copy(text);
  byId(id).textContent = copied ? 'Copied' : 'Copy failed';
  setTimeout(() => {
    byId(id).textContent = id === 'copy' ? 'Copy key' : 'Copy JSON';
  }, 1500);
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Some browsers keep the clipboard from pages that are files.
    const field = element('textarea', { class: 'hidden' });
    field.value = text;
    byId('about').append(field);
    field.select();
    const copied = document.execCommand('copy');
    field.remove();
    return copied;
  }
}

// --- landmarks as a table, and as JSON ---

/** The landmarks that the picture shows. */
function fillTable() {
  const { open } = byId('table');
  byId('rows').replaceChildren(...(open ? detail.points.map(rowOf) : []));
}

/** @param {Point} point */
function rowOf({ x, y, z, name, place, visibility }) {
  const numbers = [x.toFixed(1), y.toFixed(1), z.toFixed(3), visibility?.toFixed(2) ?? ''];
  const head = element('th', { scope: 'row', title: place, text: name });
  return element('tr', {}, head, ...numbers.map((text) => element('td', { text })));
}

/** Of everyone, in the form of `landmarks get --json`. */
function detailJson() {
  const { result, content } = detail;
  const [first = {}, ...others] = (content?.people ?? []).map(personJson);
  const { key, bucket, status, score, people, person_score, processed, etag } = /** @type {Result} */ (
    result
  );
  const facts = { object_key: key, bucket, status, etag, processed_at: processed, pose_score: score };
  const everyone = people === null ? {} : { people_count: people, person_score };
  const all = { ...facts, ...everyone, ...first, ...(others.length ? { other_people: others } : {}) };
  return `${JSON.stringify(all, null, 1)}\n`;
}

/** @param {Person} person */
function personJson({ number, score, figure }) {
  const groups = entriesOf(figure).map(([group, points]) => [
    `${group}_landmarks`,
    { landmark: range(points.count).map((at) => landmarkJson(points, at)) },
  ]);
  return { ...(number ? { person_score: score } : {}), ...Object.fromEntries(groups) };
}

/** @type {(points: Points, number: number) => Record<string, number>} */
function landmarkJson(points, number) {
  const visibility = points.visibility(number);
  const values = { x: points.x(number), y: points.y(number), z: points.z(number) };
  return visibility === null ? values : { ...values, visibility };
}

function downloadJson() {
  const name = keyParts(detail.result?.key ?? '').name || 'landmarks';
  const address = URL.createObjectURL(new Blob([detailJson()], { type: 'application/json' }));
  element('a', { href: address, download: `${name}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(address));
}

// --- the large picture: SVG in the photo's pixels, with lines and dots in widths of the screen ---

function drawPicture() {
  const { result, content } = detail;
  const size = result && sizeOf(result);
  detail.chosen = null;
  markPoint(null);
  detail.points =
    size && content ? content.people.filter(isChosen).flatMap((one) => pointsOfPerson(size, one)) : [];
  detail.points[0]?.node.setAttribute('tabindex', '0');
  picture.classList.toggle('dimmed', !layers.photo);
  picture.replaceChildren(...(size && content ? overlay(size, content) : []));
  fillTable();
}

/** @param {Person} person */
const isChosen = ({ number }) => detail.person === null || detail.person === number;

/** @type {(size: Size, content: Content) => Element[]} */
function overlay(size, { photo, people }) {
  // The chosen person comes last, on top of the others; else the first one does.
  const drawn = people.toReversed().toSorted((a, b) => Number(isChosen(a)) - Number(isChosen(b)));
  return [
    shape('rect', { class: 'ground', ...size }),
    ...(photo ? [shape('image', { class: 'photo', href: photo, preserveAspectRatio: 'none', ...size })] : []),
    ...drawn.map((person) => personLines(size, person)),
    ...people.map((person) => personPoints(size, person)),
    ...(layers.boxes ? drawn.filter(isChosen).map((person) => tagOf(size, person)) : []),
  ].filter((node) => node !== null);
}

/** @type {(size: Size, person: Person) => Element} */
function personLines(size, person) {
  // Strokes are made for a picture of 900 pixels, about what a screen has for it.
  const scale = 900 / Math.max(size.width, size.height);
  const paths = strokesOf(person, { width: size.width * scale, height: size.height * scale })
    .filter(({ kind }) => kind === 'lines')
    .map((stroke) => linePath(stroke, scale));
  return shape('g', { class: isChosen(person) ? 'lines' : 'lines dimmed' }, ...paths);
}

/** @type {(size: Size, person: Person) => Element} */
function personPoints(size, { number, alone, figure: { pose } }) {
  const own = detail.points.filter(({ person }) => person === number);
  const group = shape('g', {}, ...own.map(({ node }) => node));
  if (pose && !alone) {
    const { width, height } = extentOf(pose, range(pose.count));
    const extent = Math.hypot(width * size.width, height * size.height);
    const share = extent / Math.max(size.width, size.height);
    group.style.setProperty('--size', clamp(0.4, share / FULL_SIZE_SHARE, 1).toFixed(2));
  }
  return group;
}

/** Number and score, above the upper left corner of the box. @type {(size: Size, person: Person) => Element | null} */
function tagOf(size, { number, score, figure }) {
  const box = figure.pose && boxOf(figure.pose);
  if (!box) {
    return null;
  }
  const text = score === null ? `${number + 1}` : `${number + 1} ${score.toFixed(2)}`;
  const ground = shape('rect', {
    y: -17,
    width: 9 + 7 * text.length,
    height: 17,
    fill: rgb(paletteOf(number).left),
  });
  const tag = shape('g', { class: 'tag' }, ground, shape('text', { x: 5, y: -4.5, text }));
  tag.style.setProperty('--x', `${box.left * size.width}px`);
  tag.style.setProperty('--y', `${box.top * size.height}px`);
  return tag;
}

/** @type {(stroke: Stroke, scale: number) => Element} */
function linePath({ places, colour, width, opacity }, scale) {
  const steps = [];
  for (let at = 0; at < places.length; at += 4) {
    const [x1, y1, x2, y2] = places.slice(at, at + 4).map((pixels) => (pixels / scale).toFixed(2));
    steps.push(`M${x1} ${y1}L${x2} ${y2}`);
  }
  const path = shape('path', { d: steps.join(''), stroke: colour, 'stroke-opacity': opacity });
  path.style.setProperty('--width', width.toFixed(2));
  return path;
}

// --- points: every landmark of the large picture is a circle that says what it is ---

// A person who fills this part of the picture has points of full size, smaller ones have smaller points.
const FULL_SIZE_SHARE = 0.45;

const REACH = 16; // how near to a point the pointer has to be, in pixels of the screen

/** @type {Record<Feature, string>} */
const FEATURE_WORDS = { oval: 'face oval', brows: 'brow', eyes: 'eye', lips: 'lips' };

/** The feature that a point of the face belongs to. @type {Map<number, Feature>} */
const FEATURES = new Map();
for (const [feature, pairs] of entriesOf(edges.face)) {
  pairs.flat().forEach((number) => FEATURES.set(number, feature));
}

/** @type {(size: Size, person: Person) => Point[]} */
function pointsOfPerson(size, person) {
  // Sixteen faces would be 7,500 points, which hide small faces and take half a second to draw.
  const withFace = person.alone || detail.person !== null;
  return entriesOf(person.figure)
    .filter(([group]) => isDrawn(group) && (group !== 'face' || withFace))
    .flatMap(([group, points]) =>
      range(points.count)
        .filter((number) => layers.guessed || !isGuessed(points, number))
        .map((number) => pointOf(size, person, group, points, number)),
    );
}

/** @type {(size: Size, person: Person, group: Group, points: Points, number: number) => Point} */
function pointOf(size, { number: person, alone, figure }, group, points, number) {
  const point = { x: points.x(number) * size.width, y: points.y(number) * size.height, z: points.z(number) };
  const name = pointName(group, number);
  const visibility = points.visibility(number);
  const place = [...(alone ? [] : [`Person ${person + 1}`]), `${GROUP_WORDS[group]} ${number}`];
  const words = [
    name,
    ...place,
    `x ${point.x.toFixed(1)}, y ${point.y.toFixed(1)} px`,
    `z ${point.z.toFixed(3)}`,
    ...(visibility === null ? [] : [`visibility ${visibility.toFixed(2)}`]),
  ];
  const kind = group.endsWith('hand') ? 'hand' : group;
  const minor = group === 'pose' && isShownBetter(figure, number) ? 'minor' : '';
  const guessed = isGuessed(points, number) ? 'guessed' : '';
  const node = shape('circle', {
    class: `point ${kind} ${minor} ${guessed}`,
    cx: point.x,
    cy: point.y,
    fill: rgb(pointColour(paletteOf(detail.person === null ? person : 0), group, number)),
    tabindex: -1,
    role: 'img',
    'aria-label': words.join(', '),
    'data-person': person,
    'data-group': group,
    'data-number': number,
    'data-name': name,
  });
  return { ...point, visibility, name, place: place.join(', '), person, words, node };
}

/** @type {(palette: Palette, group: Group, number: number) => Colour} */
function pointColour(palette, group, number) {
  const feature = FEATURES.get(number);
  return {
    pose: sideOf(palette, number),
    face: feature ? { ...colours.face, oval: palette.oval }[feature] : colours.mesh,
    left_hand: palette.left,
    right_hand: palette.right,
  }[group];
}

// MediaPipe has no names for the face's points.
/** @type {(group: Group, number: number) => string} */
function pointName(group, number) {
  if (group !== 'face') {
    return names[group === 'pose' ? 'pose' : 'hand'][number].replaceAll('_', ' ');
  }
  if (number >= UNREFINED_FACE_POINTS) {
    return 'iris';
  }
  const feature = FEATURES.get(number);
  return feature ? FEATURE_WORDS[feature] : 'face mesh';
}

/** @param {Place} place */
function markNearest(place) {
  /** @type {Point | null} */
  let nearest = null;
  let least = REACH;
  const { a, d, e, f } = matrixOfView();
  for (const point of detail.points) {
    const distance = Math.hypot(point.x * a + e - place.x, point.y * d + f - place.y);
    if (distance < least) {
      [nearest, least] = [point, distance];
    }
  }
  markPoint(nearest);
}

/** @param {number} direction */
function stepPoint(direction) {
  const { points, current } = detail;
  const at = current ? points.indexOf(current) + direction : 0;
  points[clamp(0, at, points.length - 1)]?.node.focus();
}

/** @param {Point | null} point */
function markPoint(point) {
  detail.current?.node.classList.remove('current');
  detail.current = point;
  tip.hidden = true;
  if (point !== null) {
    const [name, ...facts] = point.words;
    point.node.classList.add('current');
    tip.replaceChildren(element('strong', { text: name }), ...facts.map((text) => element('span', { text })));
    placeTip();
  }
}

/** The tip stands beside its point, on the side that has space, while the point is in sight. */
function placeTip() {
  const point = detail.current;
  if (point === null) {
    return;
  }
  const stage = byId('stage').getBoundingClientRect();
  const place = onScreen(point);
  const [x, y] = [place.x - stage.x, place.y - stage.y];
  tip.hidden = x < 0 || y < 0 || x > stage.width || y > stage.height;
  const [width, height] = [tip.offsetWidth, tip.offsetHeight];
  const left = x + 14 + width > stage.width ? x - 14 - width : x + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${clamp(4, y - height / 2, stage.height - height - 4)}px`;
}

// --- keyboard ---

const SHORTCUTS = [
  ['/', 'Search'],
  ['← → ↑ ↓', 'Move between cards'],
  ['Enter', 'Open the card'],
  ...LAYERS.map(({ key, about }) => [key, `Toggle ${about}`]),
  ['← →', 'Detail view: previous or next result'],
  ['↑ ↓', 'Detail view: move between points'],
  ...(SEVERAL_PEOPLE ? [['n p', 'Detail view: next or previous person']] : []),
  ['+ −', 'Detail view: zoom in or out'],
  ['0', 'Detail view: fit the whole photo'],
  ['c', 'Detail view: copy the key'],
  ['d', 'Switch between dark and light'],
  ['Esc', 'Close, or clear the search'],
  ['?', 'Show these shortcuts'],
];

/** @type {Record<string, () => void>} */
const ANYWHERE = {
  '/': () => (byId('detail').open ? null : byId('search').focus()),
  '?': () => byId('shortcuts').showModal(),
  d: () => byId('theme').click(),
  ...Object.fromEntries(LAYERS.map(({ name, key }) => [key, () => toggleLayer(name)])),
};

/** @type {Record<string, () => void>} */
const IN_DETAIL = {
  ArrowLeft: () => stepDetail(-1),
  ArrowRight: () => stepDetail(1),
  ArrowUp: () => stepPoint(-1),
  ArrowDown: () => stepPoint(1),
  '+': () => stepZoom(1),
  '=': () => stepZoom(1),
  '-': () => stepZoom(-1),
  0: () => showWhole(view.size),
  c: () => byId('copy').click(),
  n: () => stepPerson(1),
  p: () => stepPerson(-1),
};

function fillKeyboard() {
  byId('shortcuts-list').append(
    ...SHORTCUTS.flatMap(([keys, words]) => [
      element('dt', {}, ...keys.split(' ').map((key) => element('kbd', { text: key }))),
      element('dd', { text: words }),
    ]),
  );
  byId('show-shortcuts').addEventListener('click', () => byId('shortcuts').showModal());
  byId('search').addEventListener('keydown', leaveSearch);
  document.addEventListener('keydown', pressKey);
}

/** @param {KeyboardEvent} event */
const hasModifier = (event) => event.ctrlKey || event.metaKey || event.altKey;

/** @param {KeyboardEvent} event */
function pressKey(event) {
  if (around(event, 'input, select, textarea') || hasModifier(event) || byId('shortcuts').open) {
    return;
  }
  const action = (byId('detail').open && IN_DETAIL[event.key]) || ANYWHERE[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
}

// Esc clears and leaves the search; Enter and the down arrow go to the first result.
/** @param {KeyboardEvent} event */
function leaveSearch(event) {
  if (event.key === 'Escape') {
    select({ search: '' });
    byId('search').blur();
  } else if (['Enter', 'ArrowDown'].includes(event.key) && selection.results.length) {
    event.preventDefault();
    focusCard(selection.results[0]);
  }
}

// --- start ---

fillSummary();
fillToolbar();
fillGallery();
fillDetail();
fillPicture();
fillKeyboard();
select({});
openLinked();
window.addEventListener('hashchange', openLinked);
document.documentElement.dataset.ready = '';
