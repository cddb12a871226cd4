// Keyboard: keys that work wherever one is, and the list of all.

const KEYS = [
  ['/', 'search'],
  ['← → ↑ ↓', 'from card to card'],
  ['Enter', 'open a card'],
  ...LAYERS.map(({ key, about }) => [key, `on or off: ${about}`]),
  ['← →', 'opened: previous and next result'],
  ['↑ ↓', 'opened: from point to point'],
  ['+ −', 'opened: zoom'],
  ['0', 'opened: the whole photo'],
  ['c', 'opened: copy the key'],
  ['d', 'dark or light'],
  ['Esc', 'close; empty the search'],
  ['?', 'these keys'],
];

/** @type {Record<string, () => void>} */
const ANYWHERE = {
  '/': () => (byId('detail').open ? null : byId('search').focus()),
  '?': () => byId('keys').showModal(),
  d: () => byId('theme').click(),
  ...Object.fromEntries(LAYERS.map(({ name, key }) => [key, () => pressLayer(name)])),
};

/** @type {Record<string, () => void>} */
const IN_DETAIL = {
  ArrowLeft: () => stepDetail(-1),
  ArrowRight: () => stepDetail(1),
  ArrowUp: () => stepPoint(-1),
  ArrowDown: () => stepPoint(1),
  '+': () => pressZoom(1),
  '=': () => pressZoom(1),
  '-': () => pressZoom(-1),
  0: () => pressZoom(0),
  c: () => byId('copy').click(),
};

function fillKeyboard() {
  byId('keys-list').replaceChildren(
    ...KEYS.flatMap(([keys, words]) => [
      element('dt', {}, ...keys.split(' ').map((key) => element('kbd', { text: key }))),
      element('dd', { text: words }),
    ]),
  );
  byId('show-keys').addEventListener('click', () => byId('keys').showModal());
  document.addEventListener('keydown', pressKey);
  byId('search').addEventListener('keydown', leaveSearch);
}

/** @param {KeyboardEvent} event */
function pressKey(event) {
  const typing = around(event, 'input, select, textarea');
  if (typing || isShortcut(event) || byId('keys').open) {
    return;
  }
  const action = (byId('detail').open && IN_DETAIL[event.key]) || ANYWHERE[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
}

/**
 * Esc empties the search and leaves it; Enter and down go to what was found.
 * @param {KeyboardEvent} event
 */
function leaveSearch(event) {
  if (event.key === 'Escape') {
    select({ search: '' });
    byId('search').blur();
  } else if (['Enter', 'ArrowDown'].includes(event.key) && selection.results.length) {
    event.preventDefault();
    focusCard(selection.results[0]);
  }
}
