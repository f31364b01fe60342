import t from 'tap';
import type { RgbImage } from './rgb_image.js';
import { sideBySide } from './side_by_side.js';

const plain = (width: number, height: number, value: number): RgbImage => ({
  width,
  height,
  data: new Uint8Array(3 * width * height).fill(value),
});

t.test('drawings keep their pixels, and each has its title', async (t) => {
  const [first, second] = [plain(200, 90, 100), plain(120, 60, 50)];
  const { width, height, data } = sideBySide([
    { title: 'tree', drawing: first },
    { title: 'raster', drawing: second },
  ]);
  t.same([width, height], [200 + 16 + 120, 90]);
  const at = (x: number, y: number) => data[3 * (y * width + x)];
  t.same(
    [at(0, 89), at(199, 0), at(208, 45), at(216, 59), at(335, 59), at(335, 60)],
    [100, 100, 255, 50, 50, 255],
  );
  const count = (from: number, to: number, is: (value: number) => boolean) => {
    let found = 0;
    for (let y = 0; y < 60; y++) for (let x = from; x < to; x++) if (is(at(x, y))) found++;
    return found;
  };
  for (const [from, to, background] of [
    [0, 200, 100],
    [216, 336, 50],
  ]) {
    t.ok(count(from, to, (value) => value < 0.6 * background) > 300, 'a plate');
    t.ok(count(from, to, (value) => value > 240) > 40, 'letters');
  }
  t.ok(
    first.data.every((value) => value === 100),
    'what is given stays',
  );
});

t.test('titles are cut to the drawing, and left out where there is no space', async (t) => {
  const long = sideBySide([{ title: 'a title that is far too long', drawing: plain(80, 60, 100) }]);
  const edge = Array.from({ length: 60 }, (_, y) => long.data[3 * (y * 80 + 78)]);
  t.ok(edge.every((value) => value === 100));
  t.ok(long.data.some((value) => value > 240));
  t.ok(sideBySide([{ title: 'thin', drawing: plain(1120, 11, 7) }]).data.every((value) => value === 7));
});

t.test('what does not fit is refused', async (t) => {
  t.throws(() => sideBySide([]), { message: 'sideBySide: expected at least one drawing, got none' });
  const bad = { ...plain(2, 2, 0), width: 3 };
  t.throws(() => sideBySide([{ title: '', drawing: bad }]), {
    message: /sideBySide: an RGB image of 3x2 has 18 bytes/,
  });
});
