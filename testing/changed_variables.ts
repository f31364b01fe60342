/**
 * A shared test: what kernels cache for a tensor (packed weights, rates, tables of trees) if it is a variable that is assigned to
 * between steps, on the current backend.
 */
import * as tf from '@tensorflow/tfjs-core';
import { edgeDissimilarity, linear, selectiveScan, treeScan } from '../plugin/index.js';
import { relativeDifference } from './measure.js';

/** Test functions available in Node and in pages. */
interface Test {
  equal<T>(given: T, expected: T, what: string): unknown;
}

const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);

interface Call {
  /** Two values that a variable has in turn. */
  readonly values: readonly [tf.Tensor, tf.Tensor];
  readonly run: (variable: tf.Tensor) => tf.Tensor;
}

function calls(): Record<string, Call> {
  const ids = (values: number[]) => tf.tensor2d(values, [1, 4], 'int32');
  const [x, order] = [random([1, 4, 5], 1), ids([0, 1, 2, 3])];
  const scanned = {
    step: tf.abs(x),
    deltaU: x,
    inputGate: random([1, 4, 2], 2),
    outputGate: random([1, 4, 2], 3),
  };
  const products = [1, 16, 300].map((rows): [string, Call] => [
    `linear of ${rows} rows`,
    {
      values: [random([7, 9], 4), random([7, 9], 5)],
      run: (weights) => linear(random([rows, 7], 6), weights),
    },
  ]);
  return {
    ...Object.fromEntries(products),
    'rates of a selective scan': {
      values: [random([5, 2], 7), random([5, 2], 8)],
      run: (logA) => selectiveScan({ ...scanned, logA }).y,
    },
    'parents of a tree': {
      values: [ids([0, 0, 1, 2]), ids([0, 0, 0, 0])],
      run: (parent) => treeScan(x, tf.sigmoid(x), { order, parent: parent as tf.Tensor2D }),
    },
    'edges of a graph': {
      values: [tf.tensor2d([0, 1, 2, 3], [2, 2], 'int32'), tf.tensor2d([3, 1, 0, 2], [2, 2], 'int32')],
      run: (edges) => edgeDissimilarity(x, edges),
    },
    'filter of a convolution': {
      values: [random([3, 3, 5, 2], 9), random([3, 3, 5, 2], 10)],
      run: (filter) =>
        tf.conv2d(tf.reshape(x, [1, 2, 2, 5]) as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same'),
    },
  };
}

export async function checkChangedVariables(t: Test): Promise<void> {
  const before = tf.memory().numTensors;
  const all: Record<string, Call> = {};
  tf.tidy(() => {
    Object.assign(all, calls());
    for (const { values } of Object.values(all)) for (const value of values) tf.keep(value);
  });
  for (const what of Object.keys(all)) {
    const { values } = all[what];
    const variable = tf.variable(values[0]);
    /** A copy in separate memory. */
    const copyOf = (value: tf.Tensor) => tf.add(value, tf.zeros([], value.dtype));
    for (const step of [0, 1, 0, 1, 1, 0]) {
      tf.tidy(() => {
        variable.assign(copyOf(values[step])); // the previous values are freed
      });
      const [given, expected] = tf.tidy(() => {
        const { run } = calls()[what];
        return [run(variable), run(copyOf(values[step]))];
      });
      // tfjs's webgl backend runs some small ops on the CPU, which rounds differently.
      const difference = relativeDifference(await given.data(), await expected.data());
      t.equal(difference <= 1e-5, true, `${what}, value ${step}: ${difference}`);
      tf.dispose([given, expected]);
    }
    variable.dispose();
    tf.dispose([...values]);
  }
  t.equal(tf.memory().numTensors, before, 'tensors');
}
