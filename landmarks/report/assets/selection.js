// Selection: which results are in the gallery, in which order.

/** @type {Record<Sort, { words: string, compare: (a: Result, b: Result) => number }>} */
const SORTS = {
  newest: { words: 'Newest first', compare: (a, b) => a.index - b.index },
  key: { words: 'Key', compare: (a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)) },
  best: { words: 'Score, highest first', compare: (a, b) => descending(a.score, b.score) },
  worst: { words: 'Score, lowest first', compare: (a, b) => ascending(a.score, b.score) },
  slowest: { words: 'Slowest first', compare: (a, b) => descending(a.ms?.total, b.ms?.total) },
};

/** @type {(a: Unsure, b: Unsure) => number} */
const ascending = (a, b) => (a ?? Infinity) - (b ?? Infinity) || 0;
/** @type {(a: Unsure, b: Unsure) => number} */
const descending = (a, b) => ascending(b ?? -Infinity, a ?? -Infinity);

/** @type {Selected} */
const selection = { search: '', outcome: null, sort: 'newest', results, listeners: [] };

/**
 * Change some of it; whoever listens is told.
 * @param {Partial<Wanted>} change
 */
function select(change) {
  Object.assign(selection, change);
  const terms = selection.search.toLowerCase().split(/\s+/).filter(Boolean);
  selection.results = results
    .filter((result) => selection.outcome === null || result.status === selection.outcome)
    .filter((result) => terms.every((term) => result.sought.includes(term)))
    .sort((a, b) => SORTS[selection.sort].compare(a, b) || a.index - b.index);
  selection.listeners.forEach((listener) => listener());
}

/**
 * Press an outcome; pressed again, all are shown.
 * @param {string} status
 */
const pressOutcome = (status) => select({ outcome: selection.outcome === status ? null : status });
