// Results: what the file holds. The list is read at once, a result's content when it is wanted.

/** @type {ReportData} */
const report = JSON.parse(byId('report').textContent);

const results = report.results.map((record, index) => ({
  ...record,
  index,
  sought: `${record.key}\n${record.code ?? ''}`.toLowerCase(),
}));

/**
 * Photo and landmarks of a result: `figure` has what was found, by group.
 * @param {Result} result
 */
function contentOf(result) {
  /** @type {ResultContent} */
  const content = JSON.parse(byId(`result-${result.index}`).textContent);
  /** @type {Figure} */
  const figure = {};
  for (const [group, encoded] of entriesOf(content.landmarks)) {
    figure[group] = pointsOf(encoded, report.drawing.columns[group]);
  }
  return { photo: content.photo, figure };
}

/**
 * The size of its photo, if it is known.
 * @type {(result: Result) => Size | null}
 */
const sizeOf = ({ width, height }) => (width && height ? { width, height } : null);

/**
 * Points: x and y normalised by the photo's width and height, z in the scale of x.
 * @param {string} encoded
 * @param {number} columns
 */
function pointsOf(encoded, columns) {
  const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  const values = new Float32Array(bytes.buffer);
  return {
    count: values.length / columns,
    /** @param {number} number */
    x: (number) => values[number * columns],
    /** @param {number} number */
    y: (number) => values[number * columns + 1],
    /** @param {number} number */
    z: (number) => values[number * columns + 2],
    /** @param {number} number */
    visibility: (number) => (columns > 3 ? values[number * columns + 3] : null),
  };
}

/**
 * Its address in this page, the part after `#`.
 * @param {Result} result
 */
const linkTo = ({ key, bucket }) =>
  `key=${encodeURIComponent(key).replaceAll('%2F', '/')}&bucket=${encodeURIComponent(bucket)}`;

/**
 * What such an address says; written by hand, a plus in it is a plus.
 * @param {string} fragment
 * @returns {Record<string, string | undefined>}
 */
function linkParts(fragment) {
  const parts = fragment
    .replace(/^#/, '')
    .split('&')
    .map((part) => part.split('='));
  return Object.fromEntries(parts.map(([name, ...value]) => [name, decoded(value.join('='))]));
}

/** @param {string} text */
const decoded = (text) => text.replace(/(?:%[0-9a-f]{2})+/gi, unescaped);

/** @param {string} escapes */
function unescaped(escapes) {
  try {
    return decodeURIComponent(escapes);
  } catch {
    return escapes;
  }
}

/**
 * The result that such an address names; undefined if it is not here.
 * @param {string} fragment
 */
function linkedResult(fragment) {
  const { key, bucket } = linkParts(fragment);
  return results.find((result) => result.key === key && (bucket === undefined || result.bucket === bucket));
}
