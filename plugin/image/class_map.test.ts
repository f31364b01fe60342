import t from 'tap';
import { channelsLast, fixturePath, readFixture } from '../../testing/fixtures.js';
import { classMapOf, type LogitWindow, windowStarts } from './class_map.js';

const FILES = ['upernet_tiny', 'upernet_tiny_outnorm'].map((name) => `dense/${name}_expected.safetensors`);
const skip = fixturePath(FILES[0]) ? false : 'the whole fixtures of dense prediction are not there';

/** Returns the wrong pixels whose margin exceeds 1e-2. */
function differing(actual: Uint16Array, expected: ArrayLike<number>, margin: ArrayLike<number>): number[] {
  return Array.from(actual.keys()).filter((i) => actual[i] !== expected[i] && margin[i] > 1e-2);
}

t.test('logits of the fixtures become their classes', { skip }, async (t) => {
  let compared = 0;
  for (const file of FILES) {
    const fixture = readFixture(file);
    for (const name of fixture.names().filter((tensor) => tensor.startsWith('decode_logits.'))) {
      const input = name.slice('decode_logits.'.length);
      const { shape, values } = fixture.tensor(name);
      const [images, classes, rows, columns] = shape;
      const [, height, width] = fixture.tensor(`argmax.${input}`).shape;
      const all = channelsLast({ shape: [images, classes, rows * columns], values }).values as Float32Array;
      for (let i = 0; i < images; i++) {
        const logits = all.subarray((i * all.length) / images, ((i + 1) * all.length) / images);
        const window = { left: 0, top: 0, width, height, rows, columns, logits };
        const actual = await classMapOf([window], classes, { width, height }, { width, height });
        const part = [i * height * width, (i + 1) * height * width] as const;
        const [expected, margin] = ['argmax', 'margin'].map((of) =>
          fixture.tensor(`${of}.${input}`).values.subarray(...part),
        );
        t.same(differing(actual, expected, margin), [], `${file} ${input} ${i}`);
        compared++;
      }
    }
  }
  t.equal(compared, 4);
});

t.test('windows step, and the last one ends at the edge', async (t) => {
  t.same(windowStarts(96, 64, 40), [0, 32]);
  t.same(windowStarts(64, 48, 32), [0, 16]);
  t.same(windowStarts(101, 64, 42), [0, 37]);
  t.same(windowStarts(128, 64, 32), [0, 32, 64]);
  t.same(windowStarts(40, 64, 32), [0], 'a smaller image is one window');
});

/** A window with constant logits. */
function flat(left: number, width: number, logits: number[]): LogitWindow {
  const rows = 2;
  return {
    left,
    top: 0,
    width,
    height: 4,
    rows,
    columns: 1,
    logits: Float32Array.from({ length: rows * logits.length }, (_, i) => logits[i % logits.length]),
  };
}

t.test('windows are averaged where they overlap', async (t) => {
  const windows = [flat(0, 4, [5, 0, 3]), flat(2, 4, [0, 4, 3])];
  const size = { width: 6, height: 4 };
  const map = await classMapOf(windows, 3, size, size);
  t.same([...map.subarray(0, 6)], [0, 0, 2, 2, 1, 1]);
});

t.test('the second resize is of the mean, and the first of equal classes wins', async (t) => {
  const size = { width: 4, height: 4 };
  const windows = [flat(0, 4, [1, 1])];
  t.same([...new Set(await classMapOf(windows, 2, size, { width: 9, height: 7 }))], [0]);
  const ramp: LogitWindow = {
    ...flat(0, 4, [0, 0]),
    columns: 2,
    rows: 1,
    logits: Float32Array.of(1, 0, 0, 1),
  };
  const wide = await classMapOf([ramp], 2, size, { width: 8, height: 1 });
  t.same([...wide], [0, 0, 0, 0, 1, 1, 1, 1]);
});

t.test('NaN is told, and a signal ends the work', async (t) => {
  const size = { width: 4, height: 4 };
  const nan = [flat(0, 4, [Number.NaN, Number.NaN])];
  await t.rejects(classMapOf(nan, 2, size, size), { message: /answers NaN/ });
  const large = { width: 400, height: 4000 };
  const signal = AbortSignal.timeout(1);
  const windows = [{ ...flat(0, 4, Array(64).fill(0)), width: 4, height: 4 }];
  await t.rejects(classMapOf(windows, 64, size, large, { signal }), { name: 'TimeoutError' });
});
