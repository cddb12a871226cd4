// About: what is known about the result that the detail view shows.

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

function copyButton(key) {
  const says = { text: 'Copy key', 'aria-live': 'polite' };
  const button = element('button', { type: 'button', class: 'quiet', ...says });
  button.addEventListener('click', async () => {
    button.textContent = (await copy(key)) ? 'Copied' : 'Not copied';
    setTimeout(() => { button.textContent = 'Copy key'; }, 1500);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyFromField(text);
  }
}

/** Where a browser keeps the clipboard from files. */
function copyFromField(text) {
  const field = element('textarea', { class: 'hidden' });
  field.value = text;
  byId('about').append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  return copied;
}

function factList(facts) {
  const rows = facts.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return element(
    'dl',
    {},
    ...rows.flatMap(([name, value]) => [
      element('dt', { text: name }),
      element('dd', { text: value }),
    ]),
  );
}

function aboutFacts(result, figure) {
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

const tookWords = ({ total, fetch, detect }) =>
  `${milliseconds(total)}: fetch ${milliseconds(fetch)}, detect ${milliseconds(detect)}`;

function foundWords(figure) {
  return Object.entries(figure)
    .map(([group, points]) => `${GROUP_WORDS[group]} ${points.count}`)
    .join(', ');
}

function imageWords({ width, height, format, bytes }) {
  return [
    ...(width ? [`${integer.format(width)} × ${integer.format(height)} px`] : []),
    ...(format ? [visible(format)] : []),
    ...(bytes === null ? [] : [fileSize(bytes)]),
  ].join(', ');
}

/** What is said over the picture where the photo is missing. */
function missingNote(result) {
  const words = PHOTO_WORDS[result.photo];
  return words ? [element('p', { class: 'note', text: words[1] })] : [];
}

function reasonNote(result) {
  return element(
    'div',
    { class: 'reason' },
    element('strong', { text: visible(result.code ?? 'FAILED') }),
    element('p', { text: visible(result.message ?? '') }),
    element('p', { class: 'muted', text: PHOTO_WORDS[result.photo]?.[1] ?? '' }),
  );
}
