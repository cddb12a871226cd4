// Overlay: a result's large picture in the detail view, as SVG in the photo's own pixels.
//
// Lines and dots have their width on the screen, not in the photo: see `Viewport`.

/**
 * Photo or plain ground, lines and points; `points` are the ones of `points.js`.
 * @type {(size: Size, content: Content, points: Point[]) => Element[]}
 */
function overlay(size, content, points) {
  return [photoShape(content.photo, size), lineShapes(content.figure, size), pointShapes(points)];
}

/** @type {(address: string | null, size: Size) => Element} */
function photoShape(address, size) {
  const ground = shape('rect', { class: 'ground', ...size });
  const shown = { class: 'photo', href: address, preserveAspectRatio: 'none', ...size };
  const photo = address && shape('image', shown);
  return shape('g', { class: 'picture' }, ground, photo);
}

/**
 * Widths are those of a picture of 900 pixels, about what a screen has for it.
 * @type {(figure: Figure, size: Size) => Element}
 */
function lineShapes(figure, size) {
  const scale = 900 / Math.max(size.width, size.height);
  const frame = { width: size.width * scale, height: size.height * scale };
  const paths = strokesOf(figure, frame)
    .filter((stroke) => 'ends' in stroke)
    .map((stroke) => linePath(stroke, scale));
  return shape('g', { class: 'lines' }, ...paths);
}

/** @type {(stroke: LineStroke, scale: number) => Element} */
function linePath({ ends, colour, width, opacity }, scale) {
  const steps = [];
  for (let at = 0; at < ends.length; at += 4) {
    const [x1, y1, x2, y2] = ends.slice(at, at + 4).map((number) => (number / scale).toFixed(2));
    steps.push(`M${x1} ${y1}L${x2} ${y2}`);
  }
  const path = shape('path', { d: steps.join(''), stroke: colour, 'stroke-opacity': opacity });
  path.style.setProperty('--width', width.toFixed(2));
  return path;
}

/** @param {Point[]} points */
function pointShapes(points) {
  return shape('g', { class: 'points' }, ...points.map((point) => point.node));
}
