import t from 'tap';
import { normalDistribution } from './normal_distribution.js';

t.test('the normal distribution, against published values', async (t) => {
  for (const [x, expected] of [
    [0, 0.5],
    [1, 0.8413447460685429],
    [-1, 0.15865525393145707],
    [2.5, 0.9937903346742238],
    [-3, 0.0013498980316300933],
    [-5, 2.8665157187919333e-7],
    [-10, 7.619853024160527e-24],
    [6, 0.9999999990134123],
    [Infinity, 1],
    [-Infinity, 0],
  ]) {
    t.ok(
      Math.abs(normalDistribution(x) - expected) <= 1e-13 * expected,
      `P(X <= ${x}) = ${normalDistribution(x)}`,
    );
  }
  t.ok(Number.isNaN(normalDistribution(Number.NaN)));
  const jump = normalDistribution(3 + 1e-12) - normalDistribution(3 - 1e-12);
  t.ok(Math.abs(jump) < 1e-13, `series and continued fraction meet: ${jump}`);
});
