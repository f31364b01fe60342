/** A canvas to draw on: by mouse, pen or finger, and by the arrow keys. White lines on black, as the digits are. */

const LINE = 18;
/** Of the arrow keys, pixels. */
const KEY_STEP = 8;
/** Pixels of a digit, and of the box that its lines fill. */
const SIDE = 28;
const BOX = 20;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param onStroke called when a stroke ends */
export function drawingPad(canvas, onStroke) {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  let pen = [canvas.width / 2, canvas.height / 2];
  let bounds;

  const clear = () => {
    context.fillStyle = 'black';
    context.fillRect(0, 0, canvas.width, canvas.height);
    bounds = undefined;
  };
  const lineTo = ([x, y]) => {
    Object.assign(context, { strokeStyle: 'white', lineWidth: LINE, lineCap: 'round' });
    context.beginPath();
    context.moveTo(...pen);
    context.lineTo(x, y);
    context.stroke();
    const { left, top, right, bottom } = bounds ?? { left: x, top: y, right: x, bottom: y };
    bounds = {
      left: Math.min(left, x, pen[0]),
      top: Math.min(top, y, pen[1]),
      right: Math.max(right, x, pen[0]),
      bottom: Math.max(bottom, y, pen[1]),
    };
    pen = [x, y];
  };
  const position = ({ clientX, clientY }) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [((clientX - left) * canvas.width) / width, ((clientY - top) * canvas.height) / height];
  };

  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    pen = position(event);
    lineTo(pen);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) lineTo(position(event));
  });
  canvas.addEventListener('lostpointercapture', onStroke);
  canvas.addEventListener('keydown', (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault(); // no scrolling
    const to = pen.map((value, axis) => Math.min(canvas.width, Math.max(0, value + KEY_STEP * arrow[axis])));
    if (event.shiftKey) pen = to;
    else lineTo(to);
  });
  canvas.addEventListener('keyup', (event) => {
    if (event.key in ARROWS && !event.shiftKey) onStroke();
  });
  clear();

  return {
    clear,
    get isEmpty() {
      return bounds === undefined;
    },
    /** The drawing in the middle of 28 x 28 pixels, as large as digits are there: ImageData. */
    image() {
      const small = new OffscreenCanvas(SIDE, SIDE).getContext('2d', { willReadFrequently: true });
      small.fillRect(0, 0, SIDE, SIDE);
      const [left, top] = [bounds.left - LINE / 2, bounds.top - LINE / 2];
      const [width, height] = [bounds.right - bounds.left + LINE, bounds.bottom - bounds.top + LINE];
      const scale = BOX / Math.max(width, height);
      small.imageSmoothingQuality = 'high';
      const [w, h] = [width * scale, height * scale];
      small.drawImage(canvas, left, top, width, height, (SIDE - w) / 2, (SIDE - h) / 2, w, h);
      return small.getImageData(0, 0, SIDE, SIDE);
    },
  };
}
