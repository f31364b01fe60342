/** Tests declarations: shapes in letters, attributes, gradients; with a toy op that is defined here. */
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import t from 'tap';
import '../../testing/backends.js';
import { defineOp } from './declare.js';
import { completeAttributes, inferOutputs } from './input_checks.js';
import { registerBackendKernel, registerHostKernel, runOp } from './kernels.js';
import { QuantizedLinear } from './quantized_linear.js';
import { parseExtent } from './shape_letters.js';

t.test('extents are expressions of letters', async (t) => {
  const letters = { B: 2, D: 6, H: 4, K: 3, N: 5, W: 7 };
  for (const [text, expected] of [
    ['D', 6],
    ['12', 12],
    ['K-1', 2],
    ['2D', 12],
    ['D+2N', 16],
    ['D/2', 3],
    ['B*D', 12],
    ['D/2*N', 15],
    ['9-K-N', 1],
    ['(H-1)*W+H*(W-1)', 45],
    ['2(H+W)', 22],
  ] as const) {
    t.equal(parseExtent(text).evaluate(letters), expected, text);
  }
  t.ok(Number.isNaN(parseExtent('X+1').evaluate(letters)), 'a letter without an extent');
  t.equal(parseExtent('D').letter, 'D');
  t.equal(parseExtent('D+0').letter, undefined);
  for (const wrong of ['', 'd', 'D+', '(D', 'D)', 'D E', 'D%2', '*D', '2 3']) {
    t.throws(() => parseExtent(wrong), { message: /^'.*' is not an extent/ }, `'${wrong}'`);
  }
});

/** y = scale * (x with its channels summed in pairs) + bias. */
const PairSum = defineOp({
  name: 'ToyPairSum',
  doc: 'y[.., c] = scale * (x[.., 2c] + x[.., 2c+1]) + bias[c]',
  inputs: {
    x: { dtype: 'float32', shape: ['...', 'C'], doc: 'features' },
    bias: { dtype: 'float32', shape: ['C/2'], optional: true, doc: 'may be left out' },
  },
  attributes: {
    scale: { type: 'number', graphName: 'scale', default: 1, least: 0, doc: 'of the sums' },
    mode: {
      type: 'string',
      graphName: 'mode',
      default: 'sum',
      oneOf: ['sum', 'mean'],
      doc: 'how pairs are joined',
    },
    first: { type: 'integer', graphName: 'first', default: 0, least: 0, most: 'C', doc: 'unused' },
    exact: { type: 'boolean', graphName: 'exact', default: true, doc: 'unused' },
    factors: { type: 'numbers', graphName: 'factors', default: [], doc: 'unused' },
  },
  derived: { P: 'C/2' },
  least: { P: 1 },
  outputs: { y: { dtype: 'float32', shape: ['...', 'P'], doc: 'sums' } },
  compose: ({ x, bias }, { scale }) => {
    const channels = x.shape[x.rank - 1] as number;
    const pairs = tf.sum(tf.reshape(x, [...x.shape.slice(0, -1), channels / 2, 2]), -1);
    const scaled = tf.mul(pairs, scale);
    return bias ? tf.add(scaled, bias) : scaled;
  },
  gradient: {
    saves: ['x', 'bias'],
    compute: ({ x, bias }, [dy], { scale }) => ({
      // Ten times the true gradient, so that the test can tell which one tfjs used.
      x: () => tf.mul(tf.reshape(tf.stack([dy, dy], -1), x.shape), 10 * scale),
      ...(bias && { bias: () => tf.sum(dy, tf.range(0, dy.rank - 1).arraySync()) }),
    }),
  },
});

t.test('outputs follow from the letters', async (t) => {
  const attributes = completeAttributes(PairSum, {});
  t.same(attributes, { scale: 1, mode: 'sum', first: 0, exact: true, factors: [] });
  const shapeFor = (x: number[], bias?: number[]) =>
    inferOutputs(PairSum, bias ? { x, bias } : { x }, attributes)[0].shape;
  t.same(shapeFor([4]), [2]);
  t.same(shapeFor([3, 5, 6], [3]), [3, 5, 3]);
  fc.assert(
    fc.property(fc.array(fc.nat(5), { maxLength: 3 }), fc.integer({ min: 1, max: 9 }), (leading, pairs) => {
      return `${shapeFor([...leading, 2 * pairs], [pairs])}` === `${[...leading, pairs]}`;
    }),
  );
  t.throws(() => shapeFor([3, 6], [4]), {
    name: 'OpError',
    message: 'ToyPairSum: bias has shape [4], expected [C/2] = [3]',
  });
  t.throws(() => shapeFor([3, 0]), {
    name: 'OpError',
    message: 'ToyPairSum: x[..., C] has shape [3, 0]: P = C/2 is 0, expected at least 1',
  });
  const quantized = { x: [3, 8], scales: [5], codes: [1, 5] };
  t.throws(() => inferOutputs(QuantizedLinear, quantized, completeAttributes(QuantizedLinear, {})), {
    name: 'OpError',
    message: 'QuantizedLinear: codes has shape [1, 5], expected [K, O] = [2, 5]',
  });
});

t.test('attributes are held to their declaration', async (t) => {
  for (const [given, message] of [
    [{ scale: -1 }, 'scale is -1, expected a finite number of at least 0'],
    [{ scale: Number.NaN }, 'scale is NaN, expected a finite number of at least 0'],
    [{ scale: '1' }, 'scale is "1", expected a finite number of at least 0'],
    [{ mode: 'max' }, 'mode is "max", expected one of sum, mean'],
    [{ first: 0.5 }, 'first is 0.5, expected an integer of at least 0'],
    [{ exact: 1 }, 'exact is 1, expected true or false'],
    [{ factors: [1, Number.POSITIVE_INFINITY] }, 'factors is an array, expected a list of finite numbers'],
  ] as const) {
    t.throws(() => completeAttributes(PairSum, given), {
      name: 'OpError',
      message: `ToyPairSum: ${message}`,
    });
  }
  t.throws(() => inferOutputs(PairSum, { x: [4] }, completeAttributes(PairSum, { first: 5 })), {
    message: 'ToyPairSum: first is 5, expected an integer from 0 to 4',
  });
});

t.test('an op with a declared gradient, composed and with a kernel', async (t) => {
  await tf.setBackend('cpu');
  const before = tf.memory().numTensors;
  const gradientOf = (backend: string) =>
    tf.tidy(() => {
      const x = tf.tensor2d([1, 2, 3, 4], [1, 4]);
      const bias = tf.tensor1d([10, 20]);
      const loss = (x: tf.Tensor, bias: tf.Tensor) => tf.sum(runOp(PairSum, { x, bias }, { scale: 2 })[0]);
      const [dx, dbias] = tf.grads(loss)([x, bias]);
      t.same([...runOp(PairSum, { x, bias }, { scale: 2 })[0].dataSync()], [16, 34], backend);
      t.same([...dx.dataSync()], [20, 20, 20, 20], `${backend}: the declared gradient`);
      t.same([...dbias.dataSync()], [1, 1], `${backend}: of an input that may be left out`);
      const alone = tf.grad((x) => tf.sum(runOp(PairSum, { x })[0]))(x);
      t.same([...alone.dataSync()], [10, 10, 10, 10], `${backend}: without the optional input`);
    });
  gradientOf('composed');
  let calls = 0;
  registerBackendKernel(PairSum, 'cpu', ({ inputs, attributes, outputs: [{ shape, dtype }], backend }) => {
    calls++;
    const [x, bias] = ['x', 'bias'].map((name) => inputs[name] && backend.readSync(inputs[name].dataId));
    const values = new Float32Array(shape.reduce((size, extent) => size * extent, 1));
    const pairs = shape[shape.length - 1];
    values.forEach((_, i) => {
      const sum = (x as Float32Array)[2 * i] + (x as Float32Array)[2 * i + 1];
      values[i] = attributes.scale * sum + ((bias as Float32Array | undefined)?.[i % pairs] ?? 0);
    });
    return [{ dataId: backend.write(values, shape, dtype), shape, dtype }];
  });
  gradientOf('kernel');
  t.ok(calls >= 3, 'the kernel ran');
  tf.unregisterKernel(PairSum.name, 'cpu');
  t.equal(tf.memory().numTensors, before);
});

t.test('mistakes in a declaration are found when it is made', async (t) => {
  const declare = (output: string) =>
    defineOp({
      name: 'ToyMistake',
      doc: '',
      inputs: { x: { dtype: 'float32', shape: ['B', 'C'], doc: '' } },
      attributes: {},
      outputs: { y: { dtype: 'float32', shape: ['B', output], doc: '' } },
    });
  t.throws(() => declare('D'), { message: 'ToyMistake: no input or attribute says what D is' });
  t.throws(() => declare('C C'), { message: /is not an extent/ });
  const counting = (counted: string, reads: string[]) =>
    defineOp({
      name: 'ToyMistake',
      doc: '',
      inputs: { x: { dtype: 'float32', shape: ['K'], doc: '' } },
      attributes: {},
      derived: { M: 'K' },
      counted,
      outputs: { y: { dtype: 'float32', shape: ['M', 'K'], doc: '' } },
      reads,
    });
  t.throws(() => counting('K', []), {
    message: /K is counted, expected a derived letter with which all outputs/,
  });
  t.throws(() => counting('M', ['y']), { message: 'ToyMistake: y is read, expected one of its inputs' });
});

t.test('an op whose values say how many rows come out', async (t) => {
  const Positive = defineOp({
    name: 'ToyPositive',
    doc: 'the values above 0, and where they are',
    inputs: {
      x: { dtype: 'float32', shape: ['K'], doc: 'values' },
      like: { dtype: 'float32', shape: ['I'], optional: true, doc: 'unused' },
    },
    attributes: { most: { type: 'integer', graphName: 'most', default: 9, doc: 'of them' } },
    derived: { M: ({ K }, { most }) => Math.min(K, most) },
    counted: 'M',
    outputs: {
      values: { dtype: 'float32', shape: ['M', '2'], doc: 'twice each' },
      places: { dtype: 'int32', shape: ['M'], doc: '' },
    },
    reads: ['x'],
  });
  registerHostKernel(
    Positive,
    ({ inputs: { x }, outputs: { values, places }, attributes: { most }, written }) => {
      let count = 0;
      x.forEach((value, i) => {
        if (value <= 0 || count === most) return;
        values.fill(value, 2 * count, 2 * count + 2);
        places[count++] = i;
      });
      written(count);
    },
  );
  tf.registerBackend('bare', () => new MathBackendCPU());
  tf.copyRegisteredKernels('cpu', 'bare');
  tf.unregisterKernel(Positive.name, 'bare');
  const warn = console.warn;
  console.warn = (message: string) => t.fail(message);
  for (const backend of ['cpu', 'bare']) {
    await tf.setBackend(backend);
    for (const [x, most, expected] of [
      [[-1, 5, 0, 7], 9, [1, 3]],
      [[-1, 5, 0, 7], 1, [1]],
      [[-1, 0], 9, []],
      [[], 9, []],
    ] as const) {
      const [values, places] = tf.tidy(() => runOp(Positive, { x: tf.tensor1d([...x]) }, { most }));
      t.same(values.shape, [expected.length, 2], backend);
      t.same([...places.dataSync()], expected, backend);
      t.same(
        [...values.dataSync()],
        expected.flatMap((i) => [x[i], x[i]]),
        backend,
      );
      tf.dispose([values, places]);
    }
  }
  console.warn = warn;
});
