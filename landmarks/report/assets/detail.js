// Detail: one result in large, with all that is known about it.

/** @type {Detail} */
const detail = { result: null, content: null, points: [], current: null };

const picture = shape('svg', {
  class: 'large',
  preserveAspectRatio: 'xMidYMid meet',
  role: 'group',
  'aria-label': 'Landmarks; up and down go from point to point',
});
const tip = element('div', { class: 'tip', role: 'tooltip', hidden: true });
const viewport = new Viewport(picture, showNearest, placeTip);

function fillDetail() {
  const dialog = byId('detail');
  byId('close').addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', forgetDetail);
  byId('previous').addEventListener('click', () => stepDetail(-1));
  byId('next').addEventListener('click', () => stepDetail(1));
  byId('zoom-in').addEventListener('click', () => pressZoom(1));
  byId('zoom-out').addEventListener('click', () => pressZoom(-1));
  byId('zoom-reset').addEventListener('click', () => pressZoom(0));
  picture.addEventListener('pointermove', hover);
  picture.addEventListener('pointerleave', leave);
  picture.addEventListener('focusin', (event) => markPoint(pointAt(event.target)));
  layers.listeners.push(drawPicture);
}

/** @param {Result} result */
function openDetail(result) {
  detail.result = result;
  detail.content = contentOf(result);
  byId('about').replaceChildren(...aboutResult(result, detail.content.figure));
  byId('about').scrollTop = 0;
  byId('stage').replaceChildren(...onStage(result));
  byId('detail').classList.toggle('plain', !result.width);
  if (!byId('detail').open) {
    byId('detail').showModal();
  }
  drawPicture();
  viewport.reset(sizeOf(result) ?? { width: 1, height: 1 });
  setSteps(result);
  history.replaceState(null, '', `#${linkTo(result)}`);
}

/** @param {Result} result */
const onStage = (result) => (result.width ? [picture, tip, ...missingNote(result)] : [reasonNote(result)]);

function drawPicture() {
  const { result, content } = detail;
  if (result === null || content === null) {
    return;
  }
  const size = sizeOf(result);
  markPoint(null);
  detail.points = size ? pointsOfFigure(size, content.figure) : [];
  detail.points[0]?.node.setAttribute('tabindex', '0');
  picture.classList.toggle('dimmed', !layers.photo);
  picture.replaceChildren(...(size ? overlay(size, content, detail.points) : []));
}

function forgetDetail() {
  const { result } = detail;
  Object.assign(detail, { result: null, content: null, points: [], current: null });
  picture.replaceChildren();
  history.replaceState(null, '', location.pathname + location.search);
  if (result && selection.results.includes(result)) {
    focusCard(result);
  }
}

/**
 * The next or the previous one in the gallery's order.
 * @param {1 | -1} direction
 */
function stepDetail(direction) {
  const shown = selection.results;
  const next = detail.result && shown[shown.indexOf(detail.result) + direction];
  if (next) {
    openDetail(next);
  }
}

/** @param {Result} result */
function setSteps(result) {
  const count = selection.results.length;
  const at = selection.results.indexOf(result);
  byId('previous').disabled = at <= 0;
  byId('next').disabled = at < 0 || at === count - 1;
  const place = `${integer.format(at + 1)} of ${integer.format(count)}`;
  byId('detail-place').textContent = at < 0 ? '' : place;
}

/** @param {number} direction */
function pressZoom(direction) {
  if (direction === 0) {
    viewport.reset();
  } else {
    viewport.step(direction);
  }
}

// --- points ---

/** @param {PointerEvent} event */
function hover(event) {
  if (event.buttons === 0) {
    showNearest({ x: event.clientX, y: event.clientY });
  }
}

/**
 * A finger that was lifted has not left: what it tapped on stays named.
 * @param {PointerEvent} event
 */
function leave(event) {
  if (event.pointerType === 'mouse') {
    markPoint(null);
  }
}

/** @param {Place} place */
function showNearest(place) {
  markPoint(pointNear(detail.points, viewport.matrix, place));
}

/** @param {EventTarget | null} node */
const pointAt = (node) => detail.points.find((point) => point.node === node) ?? null;

/**
 * Go from point to point by keys.
 * @param {number} direction
 */
function stepPoint(direction) {
  const { points, current } = detail;
  const at = current ? points.indexOf(current) + direction : 0;
  points[Math.min(points.length - 1, Math.max(0, at))]?.node.focus();
}

/** @param {Point | null} point */
function markPoint(point) {
  detail.current?.node.classList.remove('current');
  detail.current = point;
  tip.hidden = true;
  if (point !== null) {
    point.node.classList.add('current');
    fillTip(tip, point);
    viewport.reveal(point);
    placeTip();
  }
}

/** The tip goes beside its point, where there is room, as long as the point is in sight. */
function placeTip() {
  const point = detail.current;
  if (point === null) {
    return;
  }
  const stage = byId('stage').getBoundingClientRect();
  const matrix = viewport.matrix;
  const [x, y] = [point.x * matrix.a + matrix.e - stage.x, point.y * matrix.d + matrix.f - stage.y];
  tip.hidden = x < 0 || y < 0 || x > stage.width || y > stage.height;
  const [width, height] = [tip.offsetWidth, tip.offsetHeight];
  const left = x + 14 + width > stage.width ? x - 14 - width : x + 14;
  const top = Math.min(stage.height - height - 4, Math.max(4, y - height / 2));
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${top}px`;
}
