// Gallery: the cards of what is selected, painted when they come near the window.

const cards = results.map(cardOf);

/** @type {Map<Element | null, Card>} */
const cardsByElement = new Map();
cards.forEach((card) => cardsByElement.set(card.item, card).set(card.button, card));

// How far outside of the window cards are painted already.
const AHEAD = '600px 0px';

// Of a frame's 16 ms; the rest is the browser's.
const PAINTING_MS = 7;

/** @type {Set<Card>} */
const waiting = new Set();

const observer = new IntersectionObserver((changes) => changes.forEach(noticeCard), { rootMargin: AHEAD });

function fillGallery() {
  cards.filter((card) => card.size).forEach((card) => observer.observe(card.item));
  const gallery = byId('gallery');
  gallery.addEventListener('click', (event) => openFrom(cardAround(event)));
  gallery.addEventListener('keydown', moveFocus);
  gallery.addEventListener('focusin', (event) => makeStop(cardAround(event)));
  selection.listeners.push(showSelected);
  layers.listeners.push(repaintCards);
  let width = 0;
  new ResizeObserver(() => {
    if (gallery.clientWidth !== width) {
      width = gallery.clientWidth;
      repaintCards();
    }
  }).observe(gallery);
}

function showSelected() {
  byId('gallery').replaceChildren(...selection.results.map((result) => cards[result.index].item));
  byId('empty').hidden = selection.results.length > 0;
  byId('empty-words').textContent = results.length ? 'Nothing matches.' : 'There are no results.';
  byId('reset').hidden = results.length === 0;
  byId('count').textContent =
    selection.results.length === results.length
      ? counted(results.length, 'result')
      : `${integer.format(selection.results.length)} of ${counted(results.length, 'result')}`;
  makeStop(selection.results.length ? cards[selection.results[0].index] : null);
}

/** @param {IntersectionObserverEntry} change */
function noticeCard({ target, isIntersecting }) {
  const card = cardsByElement.get(target);
  if (!card) {
    return;
  }
  card.near = isIntersecting;
  if (isIntersecting) {
    wantPaint(card);
  } else if (card.content) {
    unloadCard(card);
  }
}

function repaintCards() {
  cards.filter((card) => card.near && card.size).forEach(wantPaint);
}

/** @param {Card} card */
function wantPaint(card) {
  if (waiting.size === 0) {
    requestAnimationFrame(paintWaiting);
  }
  waiting.add(card);
}

/** Paint what fits into a frame; the rest waits for the next one. */
function paintWaiting() {
  const end = performance.now() + PAINTING_MS;
  for (const card of waiting) {
    waiting.delete(card);
    if (card.near) {
      paintOrLoad(card);
    }
    if (performance.now() > end) {
      break;
    }
  }
  if (waiting.size > 0) {
    requestAnimationFrame(paintWaiting);
  }
}

/** @param {Card} card */
function paintOrLoad(card) {
  if (card.content && (card.photo || card.content.photo === null)) {
    paintCard(card);
  } else if (!card.content) {
    loadCard(card).then((there) => there && wantPaint(card));
  }
}

// --- the keyboard ---

/** @type {Card | null} */
let tabStop = null;

/**
 * Tab stops at one card of the gallery: arrows go to the others.
 * @param {Card | null} card
 */
function makeStop(card) {
  if (card) {
    tabStop?.button.setAttribute('tabindex', '-1');
    card.button.setAttribute('tabindex', '0');
    tabStop = card;
  }
}

/** @param {Result} result */
function focusCard(result) {
  cards[result.index].button.focus();
}

/** @param {Event} event */
function cardAround(event) {
  return cardsByElement.get(around(event, '.card')) ?? null;
}

/** @param {Card | null} card */
function openFrom(card) {
  if (card) {
    openDetail(card.result);
  }
}

/** @param {KeyboardEvent} event */
function moveFocus(event) {
  const columns = getComputedStyle(byId('gallery')).gridTemplateColumns.split(' ').length;
  /** @type {Record<string, number | undefined>} */
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    Home: -Infinity,
    End: Infinity,
  };
  const [step, shown] = [steps[event.key], selection.results];
  if (step === undefined || shown.length === 0 || isShortcut(event)) {
    return;
  }
  event.preventDefault();
  const card = cardAround(event);
  const at = card ? shown.indexOf(card.result) + step : 0;
  focusCard(shown[Math.min(shown.length - 1, Math.max(0, at))]);
}
