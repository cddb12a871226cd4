// Cards: one result in the gallery. A card far from the window has no picture in memory.

/**
 * A card: its place in the gallery, and how it stands.
 * @param {Result} result
 * @returns {Card}
 */
function cardOf(result) {
  const size = sizeOf(result);
  const canvas = element('canvas', { 'aria-hidden': 'true' });
  const button = element(
    'button',
    {
      type: 'button',
      class: `card ${result.status}`,
      tabindex: -1,
      'aria-haspopup': 'dialog',
      'aria-label': cardWords(result),
    },
    element('span', { class: 'picture' }, size && canvas, ...pictureWords(result)),
    element('span', { class: 'caption' }, keyLine(result), factsLine(result)),
  );
  const item = element('li', {}, button);
  return { result, size, canvas, button, item, near: false, content: null, photo: null };
}

/**
 * Long keys are cut in their folder first, and never at their end, which tells them apart.
 * @param {Result} result
 */
function keyLine(result) {
  const parts = entriesOf(keyParts(result.key)).filter(([, text]) => text);
  return element(
    'span',
    { class: 'key', title: visible(result.key) },
    ...parts.map(([part, text]) => element('bdi', { class: part, text })),
  );
}

/** @param {Result} result */
function factsLine(result) {
  const numbers = [
    ...(result.score === null ? [] : [result.score.toFixed(2)]),
    ...(result.ms ? [milliseconds(result.ms.total)] : []),
  ];
  return element(
    'span',
    { class: 'facts' },
    statusLabel(result.status),
    element('span', { text: numbers.join(' · ') }),
  );
}

/** @param {Result} result */
function pictureWords(result) {
  if (result.status === 'failed') {
    return [
      element(
        'span',
        { class: 'reason' },
        element('strong', { text: visible(result.code ?? 'FAILED') }),
        element('span', { text: visible(result.message ?? '') }),
      ),
    ];
  }
  const [short] = PHOTO_WORDS[result.photo] ?? [''];
  return short ? [element('span', { class: 'missing', text: short })] : [];
}

/** @param {Result} result */
function cardWords(result) {
  return [
    visible(result.key),
    statusWords(result.status),
    ...(result.code ? [visible(result.code)] : []),
    ...(result.score === null ? [] : [`score ${result.score.toFixed(2)}`]),
    ...(result.ms ? [milliseconds(result.ms.total)] : []),
  ].join(', ');
}

/**
 * Read what the card shows; true once it is there, unless the card has left in the meantime.
 * @param {Card} card
 */
async function loadCard(card) {
  const content = contentOf(card.result);
  card.content = content;
  if (content.photo === null) {
    return true;
  }
  const photo = new Image();
  photo.src = content.photo;
  const readable = await photo.decode().then(
    () => true,
    () => false, // browsers refuse it when memory is short
  );
  if (card.content === content) {
    card.photo = readable ? photo : null;
    content.photo = readable ? content.photo : null;
  }
  return card.near;
}

/** @param {Card} card */
function paintCard({ canvas, size, photo, content }) {
  if (size && content) {
    paint(canvas, size, photo, content.figure);
    canvas.classList.add('painted');
  }
}

/** @param {Card} card */
function unloadCard(card) {
  card.content = null;
  card.photo = null;
  card.canvas.classList.remove('painted');
  release(card.canvas);
}
