// Plots: distributions and counts as drawings, in the pixels of their place.

const HEIGHT = 132;
const MARGIN = { left: 40, right: 18, top: 10, bottom: 36 };

// A label of the axis needs so much room.
const TICK_PIXELS = 56;

/**
 * A figure with a title; what is in it is drawn anew when its width changes.
 * @type {(title: string, draw: (width: number) => Element[]) => HTMLElement}
 */
function plot(title, draw) {
  const place = element('div', { class: 'drawing' });
  const caption = element('figcaption', { text: title });
  const figure = element('figure', { class: 'panel plot' }, caption, place);
  let width = 0;
  new ResizeObserver(() => {
    if (place.clientWidth !== width) {
      width = place.clientWidth;
      place.replaceChildren(...draw(width));
    }
  }).observe(place);
  return figure;
}

/** @type {(title: string, data: Histogram | null, labels: Labels) => HTMLElement} */
function histogram(title, data, { axis, tick, words }) {
  if (data === null) {
    const nothing = { class: 'muted nothing unknown', text: 'Nothing to show.' };
    return plot(title, () => [element('p', nothing)]);
  }
  return plot(title, (width) => [bars(data, width, { axis, tick, words }), marks(data, words)]);
}

/** @type {(data: Histogram, width: number, labels: Labels) => Element} */
function bars(data, width, { axis, tick, words }) {
  const counts = data.beyond > 0 ? [...data.counts, data.beyond] : data.counts;
  const most = Math.max(...counts);
  /** @param {number} bar */
  const x = (bar) => MARGIN.left + ((width - MARGIN.left - MARGIN.right) * bar) / counts.length;
  /** @param {number} count */
  const y = (count) => MARGIN.top + (HEIGHT - MARGIN.top - MARGIN.bottom) * (1 - count / most);
  /** @param {number} value */
  const at = (value) => x(Math.min((value - data.start) / data.step, counts.length - 0.5));
  return shape(
    'svg',
    { width, height: HEIGHT, role: 'img', 'aria-label': `${axis}: ${marksText(data, words)}` },
    ...countAxis(most, y, width),
    ...counts.map((count, number) => barShape(data, counts, number, x, y, words)),
    ...valueAxis(data, counts.length, x, tick),
    centred('axis', (MARGIN.left + width - MARGIN.right) / 2, HEIGHT - 2, axis),
    markLine('median', at(data.median), y(most)),
    markLine('p95', at(data.p95), y(most)),
  );
}

/** @type {(name: string, x: number, y: number, text: string) => SVGTextElement} */
const centred = (name, x, y, text) => shape('text', { class: name, x, y, 'text-anchor': 'middle', text });

/** @type {(data: Histogram, counts: number[], number: number, x: Scale, y: Scale, words: Words) => Element} */
function barShape(data, counts, number, x, y, words) {
  const gap = x(1) - x(0) > 6 ? 1 : 0.25;
  const from = data.start + number * data.step;
  const beyond = number >= data.counts.length;
  const range = beyond
    ? `over ${words(from)}, up to ${words(data.max)}`
    : `${words(from)} to ${words(from + data.step)}`;
  return shape(
    'rect',
    {
      class: beyond ? 'value beyond' : 'value',
      x: x(number) + gap,
      y: counts[number] ? Math.min(y(counts[number]), y(0) - 1) : y(0),
      width: Math.max(0.5, x(1) - x(0) - 2 * gap),
      height: counts[number] ? Math.max(1, y(0) - y(counts[number])) : 0,
      rx: Math.min(2, (x(1) - x(0)) / 4),
    },
    shape('title', { text: `${range}: ${counted(counts[number], 'result')}` }),
  );
}

/** @type {(most: number, y: Scale, width: number) => Element[]} */
function countAxis(most, y, width) {
  const ticks = most > 1 ? [0, Math.floor(most / 2), most] : [0, most];
  const title = centred('axis', -(MARGIN.top + y(0)) / 2, 9, 'results');
  title.setAttribute('transform', 'rotate(-90)');
  return [...ticks.flatMap((count) => countTick(count, y(count), width)), title];
}

/** @type {(count: number, y: number, width: number) => Element[]} */
function countTick(count, y, width) {
  const text = integer.format(count);
  return [
    shape('line', { class: 'grid', x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }),
    shape('text', { class: 'tick', x: MARGIN.left - 6, y: y + 3.5, 'text-anchor': 'end', text }),
  ];
}

/**
 * As many ticks as there is room for.
 * @type {(data: Histogram, columns: number, x: Scale, tick: Words) => Element[]}
 */
function valueAxis(data, columns, x, tick) {
  const every = Math.ceil(columns / Math.max(2, Math.floor((x(columns) - x(0)) / TICK_PIXELS)));
  return [...Array(columns + 1).keys()]
    .filter((number) => number % every === 0)
    .map((number) => {
      const value = data.start + number * data.step;
      return centred('tick', x(number), HEIGHT - MARGIN.bottom + 14, tick(value));
    });
}

/** @type {(name: string, x: number, top: number) => SVGLineElement} */
const markLine = (name, x, top) =>
  shape('line', { class: `mark ${name}`, x1: x, x2: x, y1: top - 6, y2: HEIGHT - MARGIN.bottom });

/** @type {(data: Histogram, words: Words) => string} */
const marksText = (data, words) => `median ${words(data.median)}, 95 % at most ${words(data.p95)}`;

/** @type {(data: Histogram, words: Words) => Element} */
function marks(data, words) {
  /** @type {(name: 'median' | 'p95', text: string) => Element} */
  const mark = (name, text) => {
    const [line, value] = [{ class: `mark ${name}` }, { text: words(data[name]) }];
    return element('span', {}, element('span', line), `${text} `, element('strong', value));
  };
  return element('p', { class: 'marks' }, mark('median', 'median'), mark('p95', '95 % at most'));
}

/**
 * How many failed for which reason; a reason that is pressed is searched for.
 * @type {(title: string, codes: SummaryData['codes'], onPress: (code: string) => void) => HTMLElement}
 */
function failures(title, codes, onPress) {
  if (codes.length === 0) {
    return plot(title, () => [element('p', { class: 'muted nothing', text: 'Nothing failed.' })]);
  }
  const most = codes[0][1];
  const rows = codes.map(([code, count]) => failureRow(code, count, most, onPress));
  return plot(title, () => [element('ul', { class: 'codes' }, ...rows)]);
}

/** @type {(code: string, count: number, most: number, onPress: (code: string) => void) => Element} */
function failureRow(code, count, most, onPress) {
  const bar = shape('svg', { viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  bar.append(shape('rect', { class: 'value', width: Math.max(1, (100 * count) / most), height: 6 }));
  const button = element(
    'button',
    { type: 'button', title: 'Search for this code', on: { click: () => onPress(code) } },
    element('span', { class: 'code', text: visible(code) }),
    element('strong', { text: integer.format(count) }),
    bar,
  );
  return element('li', {}, button);
}
