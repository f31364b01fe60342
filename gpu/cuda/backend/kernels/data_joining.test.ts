/** Tests ops that join, pad and select, against tfjs's cpu backend: the results are equal. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { compare, numbers } from '../testing/compare.js';
import { startCuda } from '../testing/cuda_backend.js';

await startCuda();

const DTYPES = ['float32', 'int32', 'bool'] as const;

t.test('tensors joined', async (t) => {
  for (const dtype of DTYPES) {
    for (const axis of [0, 1, 2, -1]) {
      const part = (length: number) => {
        const shape = [3, 4, 5];
        shape.splice(axis, 1, length);
        return numbers(shape, dtype);
      };
      await compare(t, `${dtype} concat along ${axis}`, () =>
        tf.concat([part(2), part(0), part(8), part(1)], axis),
      );
      await compare(t, `${dtype} stack along ${axis}`, () =>
        tf.stack([part(3), tf.reverse(part(3)), part(3)], axis),
      );
    }
    await compare(t, `${dtype} nothing`, () =>
      tf.concat([numbers([2, 0], dtype), numbers([3, 0], dtype)], 0),
    );
    for (const times of [[2], [1, 3], [3, 1, 2], [2, 2, 1, 2], [2, 0]]) {
      const shape = [5, 4, 3, 8].slice(0, times.length);
      await compare(t, `${dtype} [${shape}] ${times} times`, () => tf.tile(numbers(shape, dtype), times));
    }
    await compare(t, `${dtype} broadcast`, () => tf.broadcastTo(numbers([1, 5, 1], dtype), [4, 3, 5, 2]));
  }
  for (const count of [1, 2, 4, 5, 9]) {
    for (const dtype of ['float32', 'int32'] as const) {
      const terms = () =>
        Array.from({ length: count }, (_, i) => tf.mul(numbers([7, 3], dtype), tf.scalar(i + 1, dtype)));
      await compare(t, `sum of ${count} ${dtype}`, () => tf.addN(terms()));
    }
  }
});

t.test('borders', async (t) => {
  const cases: [number[], [number, number][]][] = [
    [[5], [[2, 3]]],
    [
      [4, 6],
      [
        [1, 0],
        [0, 2],
      ],
    ],
    [
      [2, 5, 5, 8],
      [
        [0, 0],
        [1, 2],
        [2, 1],
        [0, 0],
      ],
    ],
    [
      [2, 5, 5, 3],
      [
        [0, 0],
        [1, 2],
        [2, 1],
        [0, 0],
      ],
    ],
    [
      [2, 3, 4, 8],
      [
        [1, 0],
        [0, 0],
        [0, 0],
        [4, 8],
      ],
    ],
    [
      [3, 4, 16],
      [
        [0, 0],
        [3, 2],
        [0, 0],
      ],
    ],
    [
      [3, 0],
      [
        [1, 1],
        [2, 0],
      ],
    ],
  ];
  for (const [shape, paddings] of cases) {
    for (const dtype of DTYPES) {
      const what = `${dtype} [${shape}] ${JSON.stringify(paddings)}`;
      for (const value of [0, 1]) {
        await compare(t, `${what} of ${value}`, () => tf.pad(numbers(shape, dtype), paddings, value));
      }
      if (shape.includes(0) || paddings.some(([a, b], axis) => Math.max(a, b) >= shape[axis])) continue;
      for (const mode of ['reflect', 'symmetric'] as const) {
        await compare(t, `${what} ${mode}`, () => tf.mirrorPad(numbers(shape, dtype), paddings, mode));
      }
    }
  }
  await compare(t, 'minus half', () =>
    tf.pad(
      numbers([3, 3]),
      [
        [1, 1],
        [1, 1],
      ],
      -0.5,
    ),
  );
});

t.test('blocks of pixels', async (t) => {
  await compare(t, 'depthToSpace', () => tf.depthToSpace(numbers([2, 3, 4, 12]) as tf.Tensor4D, 2, 'NHWC'));
  for (const dtype of ['float32', 'int32'] as const) {
    await compare(t, `${dtype} to batches`, () =>
      tf.spaceToBatchND(
        numbers([2, 4, 5, 3], dtype),
        [2, 3],
        [
          [0, 0],
          [1, 0],
        ],
      ),
    );
    await compare(t, `${dtype} to batches, no border`, () =>
      tf.spaceToBatchND(
        numbers([2, 4, 6, 3], dtype),
        [2, 2],
        [
          [0, 0],
          [0, 0],
        ],
      ),
    );
    await compare(t, `${dtype} from batches`, () =>
      tf.batchToSpaceND(
        numbers([12, 2, 3, 5], dtype),
        [2, 3],
        [
          [1, 0],
          [0, 2],
        ],
      ),
    );
    await compare(t, `${dtype} from batches of one`, () =>
      tf.batchToSpaceND(
        numbers([3, 2, 3, 5], dtype),
        [1, 1],
        [
          [0, 1],
          [0, 0],
        ],
      ),
    );
  }
});

t.test('choices', async (t) => {
  for (const dtype of DTYPES) {
    const x = () => numbers([4, 7], dtype);
    await compare(t, `${dtype} where`, () => tf.where(numbers([4, 7], 'bool'), x(), tf.reverse(x())));
    await compare(t, `${dtype} where, broadcast`, () =>
      tf.where(numbers([4, 1], 'bool'), x(), tf.zeros([7], dtype)),
    );
    await compare(t, `${dtype} one hot`, () =>
      tf.oneHot(tf.tensor2d([0, 5, -1, 2, 3, 9], [2, 3], 'int32'), 4, 1, 0, dtype),
    );
  }
  await compare(t, 'one hot of other numbers', () => tf.oneHot([1, 0, 2], 3, 0.5, -2, 'float32'));
  await compare(t, 'sequences', () => [
    tf.range(3, -4, -0.5),
    tf.linspace(-1, 2, 9),
    tf.range(0, 5, 1, 'int32'),
  ]);
});
