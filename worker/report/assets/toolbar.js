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
  const choices = [null, ...STATUSES];
  const counts = new Map(choices.map((status) => [status, results.filter((result) => status === null || result.status === status).length]));
  const buttons = choices.map((status) =>
    toggle(
      { class: status ?? 'all', on: { click: () => select({ outcome: status }) } },
      status === null,
      status === null ? 'All' : STATUS_WORDS[status],
      element('span', { class: 'number', text: integer.format(counts.get(status)) }),
    ),
  );
  byId('outcomes').append(...buttons);
  selection.listeners.push(() =>
    buttons.forEach((button, number) => button.setAttribute('aria-pressed', String(selection.outcome === choices[number]))),
  );
}

function fillSorts() {
  const sort = byId('sort');
  sort.append(...Object.entries(SORTS).map(([name, { words }]) => element('option', { value: name, text: words })));
  sort.addEventListener('change', () => select({ sort: sort.value }));
}

// --- light and dark: the system's, until the button is pressed; nothing is stored ---

const systemDark = matchMedia('(prefers-color-scheme: dark)');

const isDark = () => (document.documentElement.dataset.theme ?? (systemDark.matches ? 'dark' : 'light')) === 'dark';

function fillTheme() {
  const button = byId('theme');
  const name = () => { button.textContent = isDark() ? 'Light' : 'Dark'; };
  button.addEventListener('click', () => {
    document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
    name();
  });
  systemDark.addEventListener('change', name);
  name();
}
