/** Arranges drawings side by side, each with a title in its upper left corner. */
import { checkRgbImage, type RgbImage } from './rgb_image.js';
import { StrokeLayer } from './stroke_layer.js';
import { fittedText, TEXT_HEIGHT, textStrokes, textWidth } from './stroke_text.js';

export interface TitledDrawing {
  /** Truncated if the drawing is narrower. */
  readonly title: string;
  readonly drawing: RgbImage;
}

/** Width of the white gap between two drawings in pixels. */
const GAP = 16;
/** Distance of a title's plate from the corner of its drawing, and of the text from the plate's edge. */
const MARGIN = 12;
const PADDING = 9;
const TEXT_SCALE = 1.6;
const TEXT_WIDTH = 2.2;
const PLATE_OPACITY = 0.72;

/** Dark for the plate, light for the text. */
const COLOURS = Uint8Array.of(10, 10, 20, 255, 255, 255);
const [DARK, LIGHT] = [0, 1];

/**
 * Combines drawings from left to right into one image of the height of the tallest; the drawings are not scaled.
 * @throws {Error} if there is none, or one is not an image.
 */
export function sideBySide(drawings: readonly TitledDrawing[]): RgbImage {
  if (drawings.length === 0) throw new Error('sideBySide: expected at least one drawing, got none');
  for (const { drawing } of drawings) checkRgbImage('sideBySide', drawing);
  const width = drawings.reduce((sum, { drawing }) => sum + drawing.width + GAP, -GAP);
  const height = Math.max(...drawings.map(({ drawing }) => drawing.height));
  const data = new Uint8Array(3 * width * height).fill(255);
  let left = 0;
  for (const { title, drawing } of drawings) {
    const titled = withTitle(drawing, title);
    for (let row = 0; row < drawing.height; row++) {
      const pixels = titled.data.subarray(3 * row * drawing.width, 3 * (row + 1) * drawing.width);
      data.set(pixels, 3 * (row * width + left));
    }
    left += drawing.width + GAP;
  }
  return { width, height, data };
}

function withTitle(drawing: RgbImage, title: string): RgbImage {
  const canvas = { ...drawing, data: drawing.data.slice() };
  const most = canvas.width - 2 * (MARGIN + PADDING);
  const height = TEXT_SCALE * TEXT_HEIGHT + 2 * PADDING;
  if (most <= 0 || canvas.height < height + MARGIN) return canvas;
  const text = fittedText(title, most, TEXT_SCALE);
  const [plate, letters] = [0, 1].map(() => new StrokeLayer(canvas.width, MARGIN + Math.ceil(height)));
  plate.rectangle(MARGIN, MARGIN, textWidth(text, TEXT_SCALE) + 2 * PADDING, height, 6, DARK);
  for (const line of textStrokes(text, MARGIN + PADDING, MARGIN + PADDING, TEXT_SCALE)) {
    letters.stroke(line, TEXT_WIDTH, LIGHT);
  }
  const top = { ...canvas, height: MARGIN + Math.ceil(height) };
  plate.blend(top, COLOURS, PLATE_OPACITY);
  letters.blend(top, COLOURS);
  return canvas;
}
