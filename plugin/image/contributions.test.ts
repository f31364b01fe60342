import t from 'tap';
import { RandomNumbers } from '../random.js';
import { contributionSquares, scaledContributions } from './contributions.js';

t.test('scales run from 0 to 1 and keep the order', async (t) => {
  t.same([...scaledContributions(Float32Array.of(0, 9, 99))], [0, 0.5, 1]);
  t.same([...scaledContributions(Float32Array.of(0, 1, 32), 'root')], [0, 0.5, 1]);
  t.same([...scaledContributions(new Float32Array(2))], [0, 0], 'where nothing contributes');
});

t.test('squares around the middle', async (t) => {
  const even = { size: 4, values: new Float32Array(16).fill(9) };
  t.same(contributionSquares(even), [
    { share: 0.2, side: 3, areaRatio: 9 / 16 },
    { share: 0.3, side: 3, areaRatio: 9 / 16 },
    { share: 0.5, side: 3, areaRatio: 9 / 16 },
    { share: 0.99, side: 4, areaRatio: 1 },
  ]);
  const one = new Float32Array(49);
  one[3 * 7 + 3] = 5;
  for (const { side } of contributionSquares({ size: 7, values: one })) t.equal(side, 1);
  t.same(contributionSquares({ size: 7, values: new Float32Array(49) }), [], 'where nothing contributes');
});

t.test(
  'the sides are those of windows that grow by one pixel on each side until they hold more',
  async (t) => {
    const random = new RandomNumbers(3);
    for (const size of [31, 32]) {
      const middle = Math.floor(size / 2);
      const values = Float32Array.from({ length: size * size }, (_, i) => {
        const [y, x] = [Math.floor(i / size) - middle, (i % size) - middle];
        return 200 * random.next() * Math.exp(-(x * x + y * y) / 60);
      });
      const scaled = values.map((value) => Math.log10(value + 1));
      const within = (reach: number) =>
        scaled.reduce((sum, value, i) => {
          const [y, x] = [Math.floor(i / size) - middle, (i % size) - middle];
          return Math.max(Math.abs(x), Math.abs(y)) <= reach ? sum + value : sum;
        }, 0);
      const expected = [0.2, 0.3, 0.5, 0.99].map((share) => {
        let reach = 1;
        while (within(reach) <= share * within(size)) reach++;
        return Math.min(size, 2 * reach + 1);
      });
      t.same(
        contributionSquares({ size, values }).map(({ side }) => side),
        expected,
      );
      t.ok(expected[0] > 3 && expected[2] < expected[3], String(expected));
    }
  },
);

t.test('what is not a map is refused', async (t) => {
  const values = new Float32Array(9);
  for (const [map, message] of [
    [{ size: 4, values }, 'contributionSquares: a square of 4 pixels has 16 values, got 9'],
    [{ size: 0, values }, 'contributionSquares: size must be a whole number of at least 1, got 0'],
    [
      { size: 3, values: values.map((_, i) => (i === 4 ? -1 : 0)) },
      'contributionSquares: values[4] = -1, expected finite and at least 0',
    ],
    [
      { size: 3, values: values.fill(Number.NaN) },
      'contributionSquares: values[0] = NaN, expected finite and at least 0',
    ],
  ] as const) {
    t.throws(() => contributionSquares(map), { message });
  }
});
