// Results: what the file holds. The list is read at once, a result's content when it is wanted.

const report = JSON.parse(byId('report').textContent);

const results = report.results.map((record, index) => ({
  ...record,
  index,
  sought: `${record.key}\n${record.code ?? ''}`.toLowerCase(),
}));

/** Photo and landmarks of a result: `{photo, figure}`, where figure has what was found, by group. */
function contentOf(result) {
  const content = JSON.parse(byId(`result-${result.index}`).textContent);
  const figure = {};
  for (const [group, encoded] of Object.entries(content.landmarks)) {
    figure[group] = pointsOf(encoded, report.drawing.columns[group]);
  }
  return { photo: content.photo, figure };
}

/** Points: x and y normalised by the photo's width and height, z in the scale of x. */
function pointsOf(encoded, columns) {
  const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  const values = new Float32Array(bytes.buffer);
  return {
    count: values.length / columns,
    x: (number) => values[number * columns],
    y: (number) => values[number * columns + 1],
    z: (number) => values[number * columns + 2],
    visibility: (number) => (columns > 3 ? values[number * columns + 3] : null),
  };
}

/** Its address in this page, the part after `#`. */
const linkTo = (result) => String(new URLSearchParams({ key: result.key, bucket: result.bucket }));

/** The result that such an address names; undefined if it is not here. */
function linkedResult(fragment) {
  const wanted = new URLSearchParams(fragment.replace(/^#/, ''));
  const bucket = wanted.get('bucket');
  return results.find(
    (result) => result.key === wanted.get('key') && (bucket === null || result.bucket === bucket),
  );
}
