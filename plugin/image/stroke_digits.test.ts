import t from 'tap';
import { numberStrokes, shortNumber } from './stroke_digits.js';

t.test('shortNumber keeps two digits', async (t) => {
  const shown = [0, 1, 0.354, 0.01, 12.34, 999, 1000, 123456, 0.00312, 3.14e-7, 1e-45].map(shortNumber);
  t.same(shown, ['0', '1', '0.35', '0.01', '12', '1000', '1e3', '1.2e5', '3.1e-3', '3.1e-7', '1e-45']);
});

t.test('every character that a number can have is drawn', async (t) => {
  for (const value of [1234567890, 9.8e-7, 6.5e-43, 0, 0.021]) {
    const strokes = numberStrokes(value, 3, 4);
    t.equal(strokes.length, shortNumber(value).length, shortNumber(value));
    for (const points of strokes) {
      t.ok(points.length >= 4 && points.length % 2 === 0);
      t.ok(
        points.every((at, i) => (i % 2 === 0 ? at >= 3 : at >= 4 && at <= 14)),
        String(points),
      );
    }
  }
});
