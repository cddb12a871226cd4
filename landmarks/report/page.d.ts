// Types of the page's script and of the data it reads. Only the type checker uses this file; tests
// compare it with what Python writes and with the ids in page.html.

// --- data ---

/** Written by landmarks/cli/report.py. */
interface ReportData {
  title: string;
  selection: { table: string; place: string | null; status: string | null; since: Moment | null };
  made: Moment;
  summary: SummaryData;
  results: ResultRecord[];
  drawing: Drawing;
}

/** Written by statistics.py. */
interface SummaryData {
  total: number;
  outcomes: Record<string, number>;
  codes: [code: string, count: number][];
  options: OptionsCount[];
  people: PeopleData | null;
  first: Moment | null;
  last: Moment | null;
  durations: Histogram | null;
  scores: Histogram | null;
}

/** People in all results, results with several, and first persons that no box confirms. */
interface PeopleData {
  total: number;
  several: number;
  unconfirmed: number;
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
  architecture: string;
}

/** Bars of equal width, and the number of values beyond the last one. */
interface Histogram {
  start: number;
  step: number;
  counts: number[];
  beyond: number;
  median: number;
  p95: number;
  max: number;
}

/** Written by entries.py: what is searched, sorted and listed. */
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
  truncated: boolean;
  face: boolean;
  hands: boolean;
  ms: { fetch: number; detect: number; total: number } | null;
  score: number | null;
  people: number | null;
  person_score: number | null;
  etag: string | null;
  version: string | null;
  processed: Moment | null;
  modified: Moment | null;
  job: string | null;
  options: string | null;
  photo: PhotoState;
}

/** Read when a result is shown: a `data:` URL, and base64 of float32 by group. */
interface ResultContent {
  photo: string | null;
  landmarks: Encoded;
  others?: { score: number | null; landmarks: Encoded }[];
}

type Encoded = Partial<Record<Group, string>>;

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
    others: Colour[];
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

/** `PhotoState` in thumbnails.py. */
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

// --- markup ---

/** The elements of page.html that have an id, and the data. */
interface PageElements {
  'show-shortcuts': 'button';
  theme: 'button';
  facts: 'ul';
  title: 'h1';
  summary: 'section';
  total: 'strong';
  'total-words': 'span';
  'outcome-bar': 'div';
  'outcome-legend': 'div';
  'people-words': 'p';
  'shown-words': 'p';
  plots: 'div';
  toolbar: 'search';
  search: 'input';
  outcomes: 'div';
  fold: 'button';
  filters: 'div';
  traits: 'div';
  sort: 'select';
  layers: 'div';
  sides: 'p';
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
  'detail-place': 'p';
  'detail-key': 'h2';
  'detail-folder': 'p';
  'detail-status': 'span';
  'detail-unconfirmed': 'span';
  copy: 'button';
  advice: 'p';
  'detail-layers': 'div';
  'detail-sides': 'p';
  'detail-people': 'div';
  'detail-facts': 'dl';
  table: 'details';
  'copy-json': 'button';
  download: 'button';
  rows: 'tbody';
  close: 'button';
  shortcuts: 'dialog';
  'shortcuts-title': 'h2';
  'shortcuts-list': 'dl';
  report: 'script';
  [result: `result-${number}`]: 'script';
}

/** Makes an element. Attributes that are null or false are left out, and so are null children. */
type Make<Elements> = <Name extends keyof Elements>(
  name: Name,
  attributes?: Attributes,
  ...children: Child[]
) => Elements[Name];

interface Attributes {
  text?: string;
  click?: () => void;
  [name: string]: string | number | boolean | null | undefined | (() => void);
}

type Child = Node | string | null;

// --- results ---

type Result = (typeof results)[number];
type Content = ReturnType<typeof contentOf>;
type Person = Content['people'][number];
type Figure = Partial<Record<Group, Points>>;

interface Points {
  count: number;
  x: (number: number) => number;
  y: (number: number) => number;
  z: (number: number) => number;
  visibility: (number: number) => number | null;
}

type Trait = 'face' | 'hands' | 'several' | 'unconfirmed' | 'low' | 'truncated';

type Sort = 'newest' | 'key' | 'best' | 'worst' | 'slowest';

interface GallerySelection {
  search: string;
  outcome: string | null;
  traits: Set<Trait>;
  sort: Sort;
  results: Result[];
}

// --- drawing ---

interface Place {
  x: number;
  y: number;
}

interface Size {
  width: number;
  height: number;
}

interface Frame extends Size {
  left: number;
  top: number;
}

/** Lines, two places each, or dots: x and y of all places in turn, in pixels. */
interface Stroke {
  kind: 'lines' | 'dots';
  places: number[];
  colour: string;
  width: number;
  opacity: number;
}

type Pen = (numbers: number[], colour: Colour, width: number, opacity?: number) => Stroke;

type Context = CanvasRenderingContext2D;

type Layer = 'pose' | 'face' | 'hands' | 'photo' | 'guessed' | 'boxes';

interface Palette {
  left: Colour;
  right: Colour;
  middle: Colour;
  oval: Colour;
}

/** Of a plot: its axis, a value there, and a value with its unit. */
interface Labels {
  axis: string;
  tick: Words;
  words: Words;
}

type Words = (value: number) => string;
type Scale = (value: number) => number;

// --- gallery and detail view ---

/** Without a size there is no picture. Content and photo are kept while the card is near the window. */
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

type Fact = [name: string, text: string | null];

/** The result that is open, the chosen person's number, the points, the one with the tip, and the one
    that was clicked, tapped or focused. */
interface Detail {
  result: Result | null;
  content: Content | null;
  person: number | null;
  points: Point[];
  current: Point | null;
  chosen: Point | null;
}

/** A landmark of the large picture, in the photo's pixels. */
interface Point extends Place {
  z: number;
  visibility: number | null;
  name: string;
  place: string;
  person: number;
  words: string[];
  node: SVGCircleElement;
}
