import t from 'tap';
import { HISTOGRAM_BINS, measure, sameBits, ulpDistance } from './measure.js';

t.test('units in the last place', async (t) => {
  t.equal(ulpDistance(1, 1 + 2 ** -23), 1);
  t.equal(ulpDistance(1, 1 - 2 ** -24), 1);
  t.equal(ulpDistance(2 ** -149, -(2 ** -149)), 2);
  t.equal(ulpDistance(0, -0), 0);
  t.equal(ulpDistance(Number.NaN, Number.NaN), 0);
  t.equal(ulpDistance(Number.NaN, 1), Infinity);
});

t.test('figures', async (t) => {
  const figures = measure([1, 2.5, -4], [1, 2, -4]);
  t.equal(figures.maxAbs, 0.5);
  t.equal(figures.maxRel, 0.125);
  t.same(figures.worst, { index: 1, given: 2.5, expected: 2 });
  t.ok(Math.abs(figures.normwise - 0.5 / Math.sqrt(21)) < 1e-15);
  t.equal(figures.histogram.length, HISTOGRAM_BINS + 1);
  t.equal(figures.histogram[0], 2);
  t.equal(measure([Number.NaN], [1]).maxAbs, Infinity);
  t.equal(measure([Infinity, Number.NaN], [Infinity, Number.NaN]).maxAbs, 0);
  t.equal(measure([], []).maxAbs, 0);
  t.throws(() => measure([1], []), /1 values came out where 0 were expected/);
});

t.test('bits', async (t) => {
  t.ok(sameBits([Number.NaN, 1], [Number.NaN, 1]));
  t.notOk(sameBits([0], [-0]));
});
