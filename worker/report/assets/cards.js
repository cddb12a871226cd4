// Cards: one result in the gallery. A card far from the window has no picture in memory.

/** A card: its place in the gallery, and how it stands. */
function cardOf(result) {
  const canvas = result.width ? element('canvas', { 'aria-hidden': 'true' }) : null;
  const button = element(
    'button',
    {
      type: 'button',
      class: `card ${result.status}`,
      tabindex: -1,
      'aria-haspopup': 'dialog',
      'aria-label': cardWords(result),
      'data-index': result.index,
    },
    element('span', { class: 'picture' }, canvas, ...pictureWords(result)),
    element('span', { class: 'caption' }, keyLine(result), factsLine(result)),
  );
  return { result, canvas, button, item: element('li', {}, button), near: false, content: null, photo: null };
}

/** Long keys are cut in their folder first, and never at their end, which tells them apart. */
function keyLine(result) {
  const parts = Object.entries(keyParts(result.key)).filter(([, text]) => text);
  return element(
    'span',
    { class: 'key', title: visible(result.key) },
    ...parts.map(([part, text]) => element('bdi', { class: part, text })),
  );
}

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

function cardWords(result) {
  return [
    visible(result.key),
    statusWords(result.status),
    ...(result.code ? [visible(result.code)] : []),
    ...(result.score === null ? [] : [`score ${result.score.toFixed(2)}`]),
    ...(result.ms ? [milliseconds(result.ms.total)] : []),
  ].join(', ');
}

/** Read what the card shows; true once it is there, unless the card has left in the meantime. */
async function loadCard(card) {
  card.content = contentOf(card.result);
  if (card.content.photo === null) {
    return true;
  }
  const photo = new Image();
  photo.src = card.content.photo;
  await photo.decode();
  if (card.content !== null) {
    card.photo = photo;
  }
  return card.near;
}

function paintCard({ canvas, result, photo, content }) {
  paint(canvas, result, photo, content.figure);
  canvas.classList.add('painted');
}

function unloadCard(card) {
  card.content = null;
  card.photo = null;
  card.canvas.classList.remove('painted');
  clear(card.canvas);
}
