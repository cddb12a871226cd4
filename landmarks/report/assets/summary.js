// Summary: what the page is about, and what became of everything that was selected.

const STATUSES = Object.keys(STATUS_WORDS);

function fillSummary() {
  const { summary } = report;
  document.title = visible(report.title);
  byId('title').textContent = visible(report.title);
  byId('facts').replaceChildren(...reportFacts().map((fact) => element('li', { text: fact })));
  byId('total').textContent = integer.format(summary.total);
  byId('total-words').textContent = summary.total === 1 ? 'result' : 'results';
  byId('shown-words').textContent = shownWords(results.length, summary.total);
  fillOutcomeBar(summary);
  const plots = byId('plots');
  plots.append(
    histogram('How long it took', summary.durations, {
      axis: 'total duration, ms',
      tick: (ms) => integer.format(ms),
      words: milliseconds,
    }),
    histogram('How sure the detector was', summary.scores, {
      axis: 'pose score, 0 to 1',
      tick: (score) => score.toFixed(2),
      words: (score) => score.toFixed(2),
    }),
    failures('Failed, by error code', summary.codes, (search) => select({ search })),
  );
  // Where they are scrolled sideways, keys have to reach them; Safari does not see to that itself.
  const makeStopIfScrolled = () => (plots.tabIndex = plots.scrollWidth > plots.clientWidth ? 0 : -1);
  new ResizeObserver(makeStopIfScrolled).observe(plots);
}

/** @type {(shown: number, total: number) => string} */
function shownWords(shown, total) {
  return shown === total ? '' : `${integer.format(shown)} of ${integer.format(total)} shown: the newest`;
}

function reportFacts() {
  const {
    selection: { table, place, status, since },
    summary,
    made,
    title,
  } = report;
  return [
    `table ${visible(table)}`,
    ...(place && place !== title ? [visible(place)] : []),
    ...(summary.first && summary.last ? [`processed ${span(summary.first, summary.last)}`] : []),
    ...(status ? [`only ${status}`] : []),
    ...(since ? [`since ${moment(since)}`] : []),
    ...modelFacts(summary.options),
    `written ${moment(made)}`,
  ];
}

/**
 * Landmarks of several options may not be compared: then that is said, and of how many each.
 * @param {OptionsCount[]} options
 */
function modelFacts(options) {
  if (options.length === 1) {
    const [{ hash, model }] = options;
    return [...(model ? [modelWords(model)] : []), `options ${visible(hash)}`];
  }
  const words = options.map(optionsWords).join('; ');
  return options.length ? [`${options.length} different options, not to be compared: ${words}`] : [];
}

/** @param {OptionsCount} options */
function optionsWords({ hash, count, model }) {
  const about = [integer.format(count), ...(model ? [modelWords(model)] : [])];
  return `${visible(hash)} (${about.join(', ')})`;
}

/** @param {Model} model */
function modelWords(model) {
  const faces = model.refine_face_landmarks ? ', refined faces' : '';
  return `MediaPipe ${visible(model.mediapipe_version)}, complexity ${model.model_complexity}${faces}`;
}

/**
 * A bar in true proportions, and its legend; both choose an outcome.
 * @param {SummaryData} summary
 */
function fillOutcomeBar({ outcomes, total }) {
  const present = STATUSES.filter((status) => outcomes[status]);
  const parts = present.map((status) => barPart(status, outcomes[status] / total));
  const entries = present.map((status) => legendEntry(status, outcomes[status], total));
  byId('outcome-bar').replaceChildren(...parts);
  byId('outcome-legend').replaceChildren(...entries);
  selection.listeners.push(() =>
    present.forEach((status, number) => {
      parts[number].classList.toggle('pressed', selection.outcome === status);
      setPressed(entries[number], selection.outcome === status);
    }),
  );
}

/**
 * For the pointer only: the legend says and does the same.
 * @type {(status: string, share: number) => HTMLButtonElement}
 */
function barPart(status, share) {
  const part = element('button', {
    type: 'button',
    class: `fill ${status}`,
    tabindex: -1,
    title: STATUS_WORDS[status],
    on: { click: () => pressOutcome(status) },
  });
  part.style.setProperty('--share', String(share));
  return part;
}

/** @type {(status: string, count: number, total: number) => HTMLButtonElement} */
function legendEntry(status, count, total) {
  return toggle(
    { on: { click: () => pressOutcome(status) } },
    false,
    statusLabel(status),
    element('strong', { text: integer.format(count) }),
    element('span', { class: 'muted', text: percent(count, total) }),
  );
}
