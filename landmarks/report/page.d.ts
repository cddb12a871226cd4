// What the page's script finds in its page; the script is checked against it, and it is not shipped.
// A test compares it with what Python writes.

// --- the data: `report` is written by operations/report.py, the rest of it where it says so ---

interface ReportData {
  title: string;
  selection: { table: string; place: string | null; status: string | null; since: Moment | null };
  made: Moment;
  summary: SummaryData;
  results: ResultRecord[];
  drawing: Drawing;
}

/** Of summary.py. */
interface SummaryData {
  total: number;
  outcomes: Record<string, number>;
  codes: [code: string, count: number][];
  options: OptionsCount[];
  first: Moment | null;
  last: Moment | null;
  durations: Histogram | null;
  scores: Histogram | null;
}

interface OptionsCount {
  hash: string;
  count: number;
  model: Model | null;
}

interface Model {
  mediapipe_version: string;
  model_complexity: number;
  refine_face_landmarks: boolean;
  min_detection_confidence: number;
  min_landmark_confidence: number;
}

/** Bars of one width, and how many values are beyond the last one. */
interface Histogram {
  start: number;
  step: number;
  counts: number[];
  beyond: number;
  median: number;
  p95: number;
  max: number;
}

/** Of entries.py: what is searched, sorted and listed. */
interface ResultRecord {
  key: string;
  bucket: string;
  status: string;
  code: string | null;
  message: string | null;
  width: number | null;
  height: number | null;
  format: string | null;
  bytes: number | null;
  ms: { fetch: number; detect: number; total: number } | null;
  score: number | null;
  etag: string | null;
  version: string | null;
  processed: Moment | null;
  modified: Moment | null;
  job: string | null;
  options: string | null;
  photo: PhotoState;
}

/** What is read when a result is looked at: a `data:` URL, and base64 of float32 by group. */
interface ResultContent {
  photo: string | null;
  landmarks: Partial<Record<Group, string>>;
}

interface Drawing {
  edges: {
    pose: Edge[];
    hand: Record<Finger, Edge[]>;
    face_mesh: Edge[];
    face: Record<Feature, Edge[]>;
    irises: Edge[];
  };
  colours: {
    left: Colour;
    right: Colour;
    middle: Colour;
    hand: Record<Finger, Colour>;
    face: Record<Feature, Colour>;
    irises: Colour;
    mesh: Colour;
    halo: Colour;
  };
  names: { pose: string[]; hand: string[] };
  columns: Record<Group, number>;
  visible: number;
}

/** ISO 8601, in UTC. */
type Moment = string;
type Group = 'pose' | 'face' | 'left_hand' | 'right_hand';
type Finger = 'palm' | 'thumb' | 'index' | 'middle' | 'ring' | 'pinky';
type Feature = 'oval' | 'brows' | 'eyes' | 'lips';
type Edge = [number, number];
type Colour = [red: number, green: number, blue: number];

/** Of photos.py. */
type PhotoState =
  | 'embedded'
  | 'left_out'
  | 'refused'
  | 'changed'
  | 'gone'
  | 'denied'
  | 'too_large'
  | 'unreadable'
  | 'unavailable';

// --- the markup ---

/** The elements of page.html that have an id, and those that the script gives one. */
interface PageElements {
  'show-keys': 'button';
  theme: 'button';
  facts: 'ul';
  title: 'h1';
  summary: 'section';
  total: 'strong';
  'total-words': 'span';
  'outcome-bar': 'div';
  'outcome-legend': 'div';
  'shown-words': 'p';
  plots: 'div';
  toolbar: 'search';
  search: 'input';
  outcomes: 'div';
  sort: 'select';
  layers: 'div';
  count: 'p';
  gallery: 'ul';
  empty: 'div';
  'empty-words': 'p';
  reset: 'button';
  detail: 'dialog';
  stage: 'div';
  'zoom-in': 'button';
  'zoom-out': 'button';
  'zoom-reset': 'button';
  previous: 'button';
  next: 'button';
  about: 'aside';
  close: 'button';
  keys: 'dialog';
  'keys-list': 'dl';
  'keys-title': 'h2';
  'detail-key': 'h2';
  'detail-place': 'span';
  copy: 'button';
  report: 'script';
  [result: `result-${number}`]: 'script';
}

/** What new elements are given: attributes, text, listeners. */
interface Attributes {
  text?: string;
  on?: Listeners;
  [name: string]: string | number | boolean | null | undefined | Listeners;
}

interface Listeners {
  click?: () => void;
}

// --- results, as the script has them ---

type Result = (typeof results)[number];
type Content = ReturnType<typeof contentOf>;
type Figure = Partial<Record<Group, Points>>;
type Points = ReturnType<typeof pointsOf>;

interface Wanted {
  search: string;
  outcome: string | null;
  sort: Sort;
}

interface Selected extends Wanted {
  results: Result[];
  listeners: (() => void)[];
}

type Sort = 'newest' | 'key' | 'best' | 'worst' | 'slowest';
type Unsure = number | null | undefined;

// --- what is drawn ---

interface Place {
  x: number;
  y: number;
}

interface Size {
  width: number;
  height: number;
}

/** Lines from place to place, `[x, y, x, y, …]` each, or dots at places; in pixels. */
type Stroke = LineStroke | DotStroke;

interface LineStroke extends Pen {
  ends: number[];
}

interface DotStroke extends Pen {
  at: number[];
}

interface Pen {
  colour: string;
  width: number;
  opacity: number;
}

type Context = CanvasRenderingContext2D;

interface Frame extends Size {
  left: number;
  top: number;
}

/** A landmark in the photo: x and y in its pixels; visibility is only known of the pose. */
interface Landmark extends Place {
  group: Group;
  number: number;
  name: string;
  z: number;
  visibility: number | null;
}

interface Point extends Landmark {
  node: SVGCircleElement;
}

type Layer = 'pose' | 'face' | 'hands' | 'photo' | 'guessed';

/** Of a plot: what its axis is of, how a value reads there, and how with its unit. */
interface Labels {
  axis: string;
  tick: Words;
  words: Words;
}

type Words = (value: number) => string;
type Scale = (value: number) => number;

// --- gallery and detail view ---

/** A card without a size has no picture; content and photo are there while it is near the window. */
interface Card {
  result: Result;
  size: Size | null;
  canvas: HTMLCanvasElement;
  button: HTMLButtonElement;
  item: HTMLLIElement;
  near: boolean;
  content: Content | null;
  photo: HTMLImageElement | null;
}

/** The points are those in the picture; the current one is named. */
interface Detail {
  result: Result | null;
  content: Content | null;
  points: Point[];
  current: Point | null;
}

type Fact = [name: string, text: string | null];
