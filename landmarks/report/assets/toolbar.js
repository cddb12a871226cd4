// Toolbar: what is searched, shown, and in which order; and in which light.

function fillToolbar() {
  const search = byId('search');
  search.addEventListener('input', () => select({ search: search.value }));
  byId('reset').addEventListener('click', () => select({ search: '', outcome: null }));
  fillOutcomes();
  fillSorts();
  byId('layers').append(...layerButtons());
  selection.listeners.push(() => {
    if (search.value !== selection.search) {
      search.value = selection.search;
    }
  });
  fillTheme();
}

function fillOutcomes() {
  /** @type {(string | null)[]} */
  const choices = [null, ...STATUSES];
  /** @type {(status: string | null) => (result: Result) => boolean} */
  const has = (status) => (result) => status === null || result.status === status;
  const buttons = choices.map((status) =>
    toggle(
      { class: status ?? 'all', on: { click: () => select({ outcome: status }) } },
      status === null,
      status === null ? 'All' : statusWords(status),
      element('span', { class: 'number', text: integer.format(results.filter(has(status)).length) }),
    ),
  );
  byId('outcomes').append(...buttons);
  selection.listeners.push(() =>
    choices.forEach((status, number) => setPressed(buttons[number], selection.outcome === status)),
  );
}

function fillSorts() {
  const sort = byId('sort');
  sort.append(...entriesOf(SORTS).map(([value, { words }]) => element('option', { value, text: words })));
  sort.addEventListener('change', () => select({ sort: /** @type {Sort} of its options */ (sort.value) }));
}

// --- light and dark: the system's, until the button is pressed; nothing is stored ---

const systemDark = matchMedia('(prefers-color-scheme: dark)');

function isDark() {
  const system = systemDark.matches ? 'dark' : 'light';
  return (document.documentElement.dataset.theme ?? system) === 'dark';
}

function fillTheme() {
  const button = byId('theme');
  const name = () => {
    button.textContent = isDark() ? 'Light' : 'Dark';
  };
  button.addEventListener('click', () => {
    document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
    name();
  });
  systemDark.addEventListener('change', name);
  name();
}
