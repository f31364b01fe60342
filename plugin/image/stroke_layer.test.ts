import t from 'tap';
import { curveTo, StrokeLayer } from './stroke_layer.js';

const WHITE = Uint8Array.of(255, 255, 255);

/** Draws white on black and returns the brightness of each pixel, 0..255, row by row. */
function drawn(width: number, height: number, draw: (layer: StrokeLayer) => void, opacity?: number) {
  const layer = new StrokeLayer(width, height);
  draw(layer);
  const image = { width, height, data: new Uint8Array(width * height * 3) };
  layer.blend(image, WHITE, opacity);
  return Array.from({ length: width * height }, (_, i) => image.data[3 * i]);
}

const area = (pixels: number[]) => pixels.reduce((sum, value) => sum + value, 0) / 255;

t.test('shapes cover the area that they have', async (t) => {
  const shapes: [string, number, (layer: StrokeLayer) => void][] = [
    ['disc', Math.PI * 100, (layer) => layer.stroke([20, 20], 20, 0)],
    ['horizontal', 20 * 4 + Math.PI * 4, (layer) => layer.stroke([10, 20, 30, 20], 4, 0)],
    ['vertical', 20 * 4 + Math.PI * 4, (layer) => layer.stroke([20, 30, 20, 10], 4, 0)],
    ['diagonal', 5 * 4 * 5 + Math.PI * 6.25, (layer) => layer.stroke([10, 10, 22, 26], 5, 0)],
    ['rectangle', 20 * 12 - (4 - Math.PI) * 9, (layer) => layer.rectangle(8, 9, 20, 12, 3, 0)],
    ['twice is once', 20 * 4 + Math.PI * 4, (layer) => layer.stroke([10, 20, 30, 20, 10, 20], 4, 0)],
  ];
  for (const [name, expected, draw] of shapes) {
    const actual = area(drawn(40, 40, draw));
    t.ok(Math.abs(actual - expected) < 0.02 * expected + 1, `${name}: ${actual}, expected ${expected}`);
  }
});

t.test('the thinnest stroke has no gaps, and what is outside is cut off', async (t) => {
  const thin = drawn(40, 3, (layer) => layer.stroke([0, 1, 40, 2], 0.001, 0));
  for (let x = 1; x < 39; x++) t.ok(thin[x] + thin[40 + x] + thin[80 + x] > 0, `column ${x}`);
  t.same(
    drawn(2, 2, (layer) => layer.stroke([-50, -50, 60, 60], 200, 0)),
    [255, 255, 255, 255],
  );
  t.same(
    drawn(2, 2, (layer) => layer.stroke([9, 1, 12, 1], 2, 0)),
    [0, 0, 0, 0],
  );
});

t.test('opacity lets the image through', async (t) => {
  t.same(
    drawn(1, 1, (layer) => layer.stroke([0.5, 0.5], 4, 0), 0.4),
    [102],
  );
});

t.test('a curve ends where it should, a straight one is one piece', async (t) => {
  const bent = [0, 0];
  curveTo(bent, 10, 0, 10, 10);
  t.same(bent.slice(-2), [10, 10]);
  t.same(bent.slice(8, 10), [7.5, 2.5], 'its middle');
  const straight = [0, 0];
  curveTo(straight, 5, 5, 10, 10);
  t.same(straight, [0, 0, 10, 10]);
});
