// Canvas: a result's small picture in the gallery.

// What a photo that is toggled off has left of its light.
const DIMMED = 0.16;

// More of a phone's pixels would cost memory and show nothing.
const MAX_DENSITY = 2;

/**
 * The largest frame of a photo's proportions in a box.
 * @type {(size: Size, box: Size) => Frame}
 */
function fit(size, box) {
  const scale = Math.min(box.width / size.width, box.height / size.height);
  const frame = { width: size.width * scale, height: size.height * scale };
  return { ...frame, left: (box.width - frame.width) / 2, top: (box.height - frame.height) / 2 };
}

/**
 * Draw photo (an image that is loaded, or null) and figure on a canvas of the box's size.
 * @type {(canvas: HTMLCanvasElement, size: Size, photo: HTMLImageElement | null, figure: Figure) => void}
 */
function paint(canvas, size, photo, figure) {
  const density = Math.min(window.devicePixelRatio || 1, MAX_DENSITY);
  const box = { width: canvas.clientWidth, height: canvas.clientHeight };
  canvas.width = Math.round(box.width * density);
  canvas.height = Math.round(box.height * density);
  const context = contextOf(canvas);
  context.scale(density, density);
  const frame = fit(size, box);
  if (photo !== null) {
    paintPhoto(context, photo, frame, box);
  }
  context.translate(frame.left, frame.top);
  context.lineCap = 'round';
  strokesOf(figure, frame).forEach((stroke) => paintStroke(context, stroke));
}

/** @type {(context: Context, photo: HTMLImageElement, frame: Frame, box: Size) => void} */
function paintPhoto(context, photo, frame, box) {
  context.imageSmoothingQuality = 'high';
  paintGlow(context, photo, frame, box);
  context.globalAlpha = layers.photo ? 1 : DIMMED;
  context.drawImage(photo, frame.left, frame.top, frame.width, frame.height);
  context.globalAlpha = 1;
}

/**
 * Beside the photo, its own colours, faintly: a few pixels of it, stretched.
 * @type {(context: Context, photo: HTMLImageElement, frame: Frame, box: Size) => void}
 */
function paintGlow(context, photo, frame, box) {
  const few = new OffscreenCanvas(6, 6);
  few.getContext('2d')?.drawImage(photo, 0, 0, 6, 6);
  context.globalAlpha = layers.photo ? 0.35 : 0.35 * DIMMED;
  context.drawImage(few, 1, 1, 4, 4, 0, 0, box.width, box.height);
  context.globalAlpha = 1;
  context.clearRect(frame.left, frame.top, frame.width, frame.height);
}

/** @type {(context: Context, stroke: Stroke) => void} */
function paintStroke(context, stroke) {
  context.globalAlpha = stroke.opacity;
  context.beginPath();
  if ('ends' in stroke) {
    addLines(context, stroke.ends);
    context.strokeStyle = stroke.colour;
    context.lineWidth = stroke.width;
    context.stroke();
  } else {
    addDots(context, stroke.at, stroke.width / 2);
    context.fillStyle = stroke.colour;
    context.fill();
  }
}

/** @type {(context: Context, ends: number[]) => void} */
function addLines(context, ends) {
  for (let at = 0; at < ends.length; at += 4) {
    context.moveTo(ends[at], ends[at + 1]);
    context.lineTo(ends[at + 2], ends[at + 3]);
  }
}

/** @type {(context: Context, centres: number[], reach: number) => void} */
function addDots(context, centres, reach) {
  for (let at = 0; at < centres.length; at += 2) {
    context.moveTo(centres[at] + reach, centres[at + 1]);
    context.arc(centres[at], centres[at + 1], reach, 0, 2 * Math.PI);
  }
}

/**
 * What draws on a canvas; null is for one that has a context of another kind.
 * @param {HTMLCanvasElement} canvas
 */
const contextOf = (canvas) => /** @type {Context} */ (canvas.getContext('2d'));

/**
 * Give the canvas's memory back.
 * @param {HTMLCanvasElement} canvas
 */
function release(canvas) {
  canvas.width = 0;
  canvas.height = 0;
}
