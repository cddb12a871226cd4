// About: what is known about the result that the detail view shows.

/** @type {(result: Result, figure: Figure) => Node[]} */
function aboutResult(result, figure) {
  return [
    element('p', { class: 'muted place' }, element('span', { id: 'detail-place' })),
    element('h2', { id: 'detail-key' }, element('bdi', { text: visible(result.key) })),
    element(
      'p',
      { class: 'badges' },
      element('span', { class: `badge ${result.status}`, text: statusWords(result.status) }),
      copyButton(result.key),
    ),
    ...(result.status === 'failed' ? [] : [layerGroup]),
    factList(aboutFacts(result, figure)),
  ];
}

// Made once: they listen as long as the page is there.
const layerGroup = element(
  'div',
  { class: 'segments layers', role: 'group', 'aria-label': 'Drawn' },
  ...layerButtons(),
);

/** @param {string} key */
function copyButton(key) {
  const says = { text: 'Copy key', 'aria-live': 'polite' };
  const button = element('button', { type: 'button', id: 'copy', class: 'quiet', ...says });
  button.addEventListener('click', async () => {
    button.textContent = (await copy(key)) ? 'Copied' : 'Not copied';
    setTimeout(() => {
      button.textContent = 'Copy key';
    }, 1500);
  });
  return button;
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyFromField(text);
  }
}

/**
 * Where a browser keeps the clipboard from files.
 * @param {string} text
 */
function copyFromField(text) {
  const field = element('textarea', { class: 'hidden' });
  field.value = text;
  byId('about').append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  return copied;
}

/** @param {Fact[]} facts */
function factList(facts) {
  /** @param {Fact} fact */
  const row = ([name, text]) => (text ? [element('dt', { text: name }), element('dd', { text })] : []);
  return element('dl', {}, ...facts.flatMap(row));
}

/** @type {(result: Result, figure: Figure) => Fact[]} */
function aboutFacts(result, figure) {
  /** @param {string | null} value */
  const text = (value) => (value === null ? null : visible(value));
  return [
    ['Error', text(result.code)],
    ['Reason', text(result.message)],
    ['Found', foundWords(figure)],
    ['Score', result.score === null ? null : result.score.toFixed(3)],
    ['Photo', imageWords(result)],
    ['Took', result.ms && tookWords(result.ms)],
    ['Processed', result.processed && moment(result.processed)],
    ['Uploaded', result.modified && moment(result.modified)],
    ['Bucket', text(result.bucket)],
    ['ETag', text(result.etag)],
    ['Version', text(result.version)],
    ['Job', text(result.job)],
    ['Options', text(result.options)],
  ];
}

/** @param {NonNullable<Result['ms']>} ms */
const tookWords = ({ total, fetch, detect }) =>
  `${milliseconds(total)}: fetch ${milliseconds(fetch)}, detect ${milliseconds(detect)}`;

/** @param {Figure} figure */
function foundWords(figure) {
  return entriesOf(figure)
    .map(([group, points]) => `${GROUP_WORDS[group]} ${points.count}`)
    .join(', ');
}

/** @param {Result} result */
function imageWords({ width, height, format, bytes }) {
  return [
    ...(width && height ? [`${integer.format(width)} × ${integer.format(height)} px`] : []),
    ...(format ? [visible(format)] : []),
    ...(bytes === null ? [] : [fileSize(bytes)]),
  ].join(', ');
}

/**
 * What is said over the picture where the photo is missing.
 * @param {Result} result
 */
function missingNote(result) {
  const words = PHOTO_WORDS[result.photo];
  return words ? [element('p', { class: 'note', text: words[1] })] : [];
}

/** @param {Result} result */
function reasonNote(result) {
  return element(
    'div',
    { class: 'reason' },
    element('strong', { text: visible(result.code ?? 'FAILED') }),
    element('p', { text: visible(result.message ?? '') }),
    element('p', { class: 'muted', text: PHOTO_WORDS[result.photo]?.[1] ?? '' }),
  );
}
