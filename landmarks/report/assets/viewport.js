// Viewport: zooming and moving of the large picture, by wheel, pinch, drag, buttons and keys.

const MAX_ZOOM = 24;
const WHEEL_STEP = 0.0016;
const BUTTON_STEP = 1.5;

// Touchpads send a pinch as a wheel that turns little, with Ctrl.
const PINCH_FACTOR = 5;

// Fingers tremble: less than this is a tap.
const TAP_PIXELS = 6;

class Viewport {
  /**
   * Of an SVG element; `onTap` is told where it was tapped, `onShow` that it shows another part.
   * @param {SVGSVGElement} svg
   * @param {(place: Place) => void} onTap
   * @param {() => void} onShow
   */
  constructor(svg, onTap, onShow) {
    this.svg = svg;
    this.onTap = onTap;
    this.onShow = onShow;
    this.size = { width: 1, height: 1 };
    this.zoom = 1;
    this.middle = { x: 0.5, y: 0.5 };
    /** @type {Map<number, Place>} */
    this.fingers = new Map();
    this.moved = 0;
    svg.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    svg.addEventListener('pointerdown', (event) => this.#down(event));
    svg.addEventListener('pointermove', (event) => this.#move(event));
    svg.addEventListener('pointerup', (event) => this.#up(event));
    svg.addEventListener('pointercancel', (event) => this.fingers.delete(event.pointerId));
    new ResizeObserver(() => this.#show()).observe(svg);
  }

  /** From the picture's pixels to the screen's; browsers have none while the picture is not shown. */
  get matrix() {
    return this.svg.getScreenCTM() ?? new DOMMatrix();
  }

  /** Show the whole of a picture of this size. */
  reset(size = this.size) {
    this.size = size;
    this.zoom = 1;
    this.middle = { x: size.width / 2, y: size.height / 2 };
    this.#show();
  }

  /**
   * Zoom; what is at a place on the screen stays there.
   * @param {number} factor
   * @param {Place} place
   */
  zoomBy(factor, place = this.#centre()) {
    const zoom = Math.min(MAX_ZOOM, Math.max(1, this.zoom * factor));
    const fixed = this.#inPhoto(place);
    const share = this.zoom / zoom;
    this.middle.x = fixed.x + (this.middle.x - fixed.x) * share;
    this.middle.y = fixed.y + (this.middle.y - fixed.y) * share;
    this.zoom = zoom;
    this.#show();
  }

  /** @param {number} direction */
  step(direction) {
    this.zoomBy(BUTTON_STEP ** direction);
  }

  /**
   * Bring a point into sight.
   * @param {Place} point
   */
  reveal({ x, y }) {
    const reach = { x: this.size.width / this.zoom / 2, y: this.size.height / this.zoom / 2 };
    if (Math.abs(x - this.middle.x) > reach.x || Math.abs(y - this.middle.y) > reach.y) {
      this.middle = { x, y };
      this.#show();
    }
  }

  #show() {
    const [width, height] = [this.size.width / this.zoom, this.size.height / this.zoom];
    this.middle.x = Math.min(this.size.width - width / 2, Math.max(width / 2, this.middle.x));
    this.middle.y = Math.min(this.size.height - height / 2, Math.max(height / 2, this.middle.y));
    const [left, top] = [this.middle.x - width / 2, this.middle.y - height / 2];
    this.svg.setAttribute('viewBox', `${left} ${top} ${width} ${height}`);
    this.svg.classList.toggle('zoomed', this.zoom > 1);
    this.#setWidths(this.matrix.a || 1);
    this.onShow();
  }

  /**
   * Lines and dots are finer in a small window, and grow a little on zooming.
   * @param {number} scale
   */
  #setWidths(scale) {
    const side = (Math.max(this.size.width, this.size.height) * scale) / this.zoom;
    const grow = Math.min(1.2, Math.max(0.6, side / 900)) * this.zoom ** 0.35;
    this.svg.style.setProperty('--unit', String(1 / scale));
    this.svg.style.setProperty('--grow', String(grow));
  }

  #centre() {
    const box = this.svg.getBoundingClientRect();
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  }

  /** @param {Place} place */
  #inPhoto(place) {
    return new DOMPoint(place.x, place.y).matrixTransform(this.matrix.inverse());
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 30 : event.deltaY;
    const step = WHEEL_STEP * (event.ctrlKey ? PINCH_FACTOR : 1);
    this.zoomBy(Math.exp(-pixels * step), { x: event.clientX, y: event.clientY });
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.svg.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.moved = this.fingers.size > 1 ? Infinity : 0;
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) {
      return;
    }
    const now = { x: event.clientX, y: event.clientY };
    const others = [...this.fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    this.fingers.set(event.pointerId, now);
    this.moved += Math.hypot(now.x - before.x, now.y - before.y);
    if (others.length === 1) {
      this.#pinch(others[0], before, now);
    } else if (this.moved > TAP_PIXELS) {
      this.#pan(before, now);
    }
  }

  /**
   * @param {Place} other
   * @param {Place} before
   * @param {Place} now
   */
  #pinch(other, before, now) {
    /** @param {Place} place */
    const distance = (place) => Math.max(1, Math.hypot(place.x - other.x, place.y - other.y));
    this.zoomBy(distance(now) / distance(before), { x: (other.x + now.x) / 2, y: (other.y + now.y) / 2 });
    this.#pan({ x: before.x / 2, y: before.y / 2 }, { x: now.x / 2, y: now.y / 2 });
  }

  /**
   * @param {Place} before
   * @param {Place} now
   */
  #pan(before, now) {
    const scale = this.matrix.a;
    this.middle.x -= (now.x - before.x) / scale;
    this.middle.y -= (now.y - before.y) / scale;
    this.#show();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (this.fingers.delete(event.pointerId) && this.moved <= TAP_PIXELS) {
      this.onTap({ x: event.clientX, y: event.clientY });
    }
  }
}
