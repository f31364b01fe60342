/**
 * Tests what is specific to these kernels: paths of matrix products, tfjs's threads, odd addresses. For values see the
 * specs.
 */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { gelu, linear } from '../plugin/index.js';
import { suppress } from '../plugin/kernels/suppression.js';
import { geluOf } from '../plugin/ops/activations.spec.js';
import { Convolution } from '../plugin/ops/convolution.js';
import { convolutionOf } from '../plugin/ops/convolution.spec.js';
import type { Attributes, OpDeclaration } from '../plugin/ops/declaration.js';
import { DepthwiseConvolution } from '../plugin/ops/depthwise_convolution.js';
import { DiscretizeGradient } from '../plugin/ops/discretize.js';
import { GatedLinear, ResidualLinear } from '../plugin/ops/fused_linear.js';
import { runOp } from '../plugin/ops/kernels.js';
import { LayerNormalizationGradient } from '../plugin/ops/layer_normalization.js';
import { LinearInputGradient, LinearWeightGradient, RowSum } from '../plugin/ops/linear.js';
import { SelectiveDiscretize } from '../plugin/ops/selective_discretize.js';
import { Random } from '../plugin/ops/spec/random.js';
import { StateReadoutGradient } from '../plugin/ops/state_readout.js';
import { treeScan, treeScanGradient } from '../plugin/ops/tree_scan.js';
import { perfTree } from '../plugin/ops/tree_scan.spec.js';
import { relativeDifference } from '../testing/measure.js';
import { suppressOn } from './detections.js';
import { hostOf } from './host.js';
import './index.js';
import { onCpu, tfjsModule } from '../testing/wasm_backend.js';
import { PART_FLAG } from './threads.js';

t.before(async () => {
  tf.env().set(PART_FLAG, 1); // small work is split as well
  await tf.setBackend('wasm');
  await tf.ready();
});

function random<R extends tf.Rank>(shape: tf.ShapeMap[R], seed: number): tf.Tensor<R> {
  return tf.randomNormal<R>(shape, 0, 1, 'float32', seed);
}

/** Returns the values of the tensors that `compute` creates, on cpu and on wasm. */
async function onBoth(
  compute: () => tf.Tensor[],
): Promise<{ expected: Float32Array[]; given: Float32Array[] }> {
  const run = () => {
    let values: Float32Array[] = [];
    // tidy searches everything that it returns for tensors, number by number.
    tf.tidy(() => {
      values = compute().map((tensor) => tensor.dataSync() as Float32Array);
    });
    return values;
  };
  return { expected: await onCpu(run), given: run() };
}

t.test('gelu: within two units of float32 everywhere', async (t) => {
  // Its errors accumulate along a network: 1.3e-6 changed the scores of a detector twice as much as all other rounding.
  const x = Float32Array.from({ length: 20_001 }, (_, i) => (i - 10_000) / 1000);
  const y = tf.tidy(() => gelu(tf.tensor1d(x)).dataSync());
  for (const [i, value] of x.entries()) {
    const allowed = 2.5e-7 + 1.2e-7 * Math.abs(value);
    const expected = geluOf(value);
    if (!(Math.abs(y[i] - expected) <= allowed)) t.fail(`gelu(${value}) is ${y[i]}, expected ${expected}`);
  }
  const ends = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e30, -1e30];
  t.same(
    tf.tidy(() => [...gelu(tf.tensor1d(ends)).dataSync()]),
    [Number.NaN, Number.POSITIVE_INFINITY, 0, Math.fround(1e30), 0],
  );
});

t.test('linear: a panel block beyond the second cache, and one tensor in two shapes', async (t) => {
  const { expected, given } = await onBoth(() => {
    const weights = random([1200, 90], 1);
    const transposed = tf.reshape(weights, [90, 1200]); // the same data
    return [linear(random([5, 1200], 2), weights), linear(random([5, 90], 3), transposed)];
  });
  expected.forEach((array, i) => {
    t.ok(relativeDifference(given[i], array) <= 2e-6);
  });
});

t.test('linear: few, some and many rows give the same bits', async (t) => {
  for (const [inputs, columns] of [
    [7, 5000],
    [70, 93],
    [1030, 43],
  ]) {
    for (const activation of ['none', 'silu'] as const) {
      tf.tidy(() => {
        const x = random<tf.Rank.R2>([261, inputs], 1);
        const [weights, bias] = [random([inputs, columns], 2), random([columns], 3)];
        const options = { activation, firstOutput: 1, endOutput: columns - 2 };
        const many = linear(x, weights, bias, options); // packed for this call
        for (const [first, rows] of [
          [0, 1],
          [3, 3], // read in place
          [6, 4],
          [10, 251], // packed once
        ]) {
          const part = linear(tf.slice(x, [first, 0], [rows, -1]), weights, bias, options);
          const expected = tf.slice(many, [first, 0], [rows, -1]);
          // A million values: comparing them one by one in tap takes longer than this whole file.
          const [found, same] = [part, expected].map((each) => {
            const { buffer, byteOffset, byteLength } = each.dataSync();
            return Buffer.from(buffer, byteOffset, byteLength);
          });
          t.ok(found.equals(same), `${inputs} x ${columns}`);
        }
      });
    }
  }
});

t.test('fused layers: the bits of the ops that they are made of, in parts and in one', async (t) => {
  const bits = (tensors: tf.Tensor[]) =>
    tensors.map((tensor) => {
      const { buffer, byteOffset, byteLength } = tensor.dataSync();
      return Buffer.from(buffer, byteOffset, byteLength);
    });
  const compare = (op: OpDeclaration, inputs: Record<string, tf.Tensor>, what: string) => {
    const apart = tf.tidy(() => bits([op.compose?.(inputs, {}) ?? []].flat()));
    for (const nanoseconds of [20_000, 1]) {
      tf.env().set(PART_FLAG, nanoseconds);
      const together = tf.tidy(() => bits(runOp(op, inputs)));
      t.equal(together.length, apart.length);
      together.forEach((values, i) => {
        t.ok(values.equals(apart[i]), `${op.name}, ${what}, output ${i}, parts of ${nanoseconds} ns`);
      });
    }
  };
  // Read where they are, packed once, for each call; weights of one block of panels, and of several, which rows pass in turn.
  for (const [rows, inputs, outputs] of [
    [1, 70, 94],
    [3, 70, 94],
    [40, 70, 94],
    [261, 70, 94],
    [600, 1100, 94],
  ]) {
    tf.tidy(() => {
      const [x, residual] = [random([rows, inputs], 1), random([rows, outputs], 2)];
      const layer = { x, weights: random([inputs, outputs], 3), bias: random([outputs], 4) };
      compare(ResidualLinear, { ...layer, residual }, `${rows} rows of ${inputs}`);
      compare(GatedLinear, layer, `${rows} rows of ${inputs}`);
    });
  }
  for (const [vertices, channels, rank, states] of [
    [2, 33, 2, 1],
    [300, 160, 5, 1],
    [29, 70, 40, 3],
    [600, 1100, 30, 1],
  ]) {
    tf.tidy(() => {
      const inputs = {
        x: random([1, vertices, channels], 1),
        selection: random([channels, rank + 2 * states], 2),
        stepProjection: random([rank, channels], 3),
        stepBias: random([channels], 4),
        logA: random([channels, states], 5),
      };
      compare(SelectiveDiscretize, inputs, `${vertices} rows of ${channels}`);
    });
  }
});

t.test('convolution: the same bits in parts and in one, of few positions and of many', async (t) => {
  const bits = ({ buffer, byteOffset, byteLength }: Float32Array) =>
    Buffer.from(buffer, byteOffset, byteLength);
  const part = tf.env().getNumber(PART_FLAG);
  for (const [channels, outputs, strides, size = [11, 13]] of [
    [3, 11, [2, 2]],
    [150, 70, [1, 1]], // a block of panels does not hold all of them
    [500, 9, [2, 1]], // fewer patches than usual fit the second-level cache
    // Winograd's method: a tile is not a whole block, outputs are computed in two groups or in one.
    [16, 140, [1, 1]],
    [20, 260, [1, 1]],
    [24, 20, [2, 2], [45, 47]],
  ] as const) {
    const attributes = { strides, padding: [1, 1, 1, 1], activation: 'gelu' };
    const filter = random([3, 3, channels, outputs], 2);
    const inputs = (batch: number) => ({
      x: random([batch, ...size, channels], 1),
      filter,
      bias: tf.ones([outputs]),
    });
    const run = (batch: number) =>
      tf.tidy(() => runOp(Convolution, inputs(batch), attributes)[0].dataSync<'float32'>());
    const many = run(8); // the filter is packed for this call
    const few = run(1);
    tf.env().set(PART_FLAG, 1e12);
    t.ok(bits(run(8)).equals(bits(many)), `${channels} channels in one part`);
    tf.env().set(PART_FLAG, part);
    const expected = await onCpu(() => run(1));
    t.ok(relativeDifference(few, expected) <= 2e-6, `${channels} channels`);
    const first = tf.tidy(() => {
      const { x, ...rest } = inputs(8);
      const one = tf.slice(x, [0, 0, 0, 0], [1, -1, -1, -1]);
      return runOp(Convolution, { x: one, ...rest }, attributes)[0].dataSync<'float32'>();
    });
    t.ok(bits(first).equals(bits(many.subarray(0, first.length))), `${channels} channels, packed once`);
    filter.dispose();
  }
});

t.test('depthwise convolution: the same bits in parts and in one', async (t) => {
  const part = tf.env().getNumber(PART_FLAG);
  for (const { channels, columns } of [
    { channels: 8, columns: 3 }, // in tiles
    { channels: 7, columns: 3 },
    { channels: 8, columns: 5 },
  ]) {
    const inputs = { x: random([2, 6, 9, channels], 1), filter: random([3, columns, channels, 1], 2) };
    const run = () =>
      tf.tidy(() => runOp(DepthwiseConvolution, inputs, { activation: 'silu' })[0].dataSync<'float32'>());
    const inParts = run();
    tf.env().set(PART_FLAG, 1e12);
    t.same(run(), inParts, `${channels} channels, ${columns} columns`);
    tf.env().set(PART_FLAG, part);
    tf.dispose(inputs);
  }
});

t.test("convolution by Winograd's method: within 1e-5 of the largest value of sums in float64", async (t) => {
  for (const [stride, size, channels] of [
    [1, 15, 512],
    [2, 46, 256],
  ]) {
    const shapes: Record<'x' | 'filter', [number, number, number, number]> = {
      x: [1, size, size, channels],
      filter: [3, 3, channels, 16],
    };
    const attributes = { strides: [stride, stride], padding: [1, 1, 1, 1] };
    const inputs = { x: random(shapes.x, 1), filter: random(shapes.filter, 2) };
    const [x, filter] = [inputs.x.dataSync<'float32'>(), inputs.filter.dataSync<'float32'>()];
    const expected = convolutionOf(x, filter, undefined, shapes.x, shapes.filter, attributes);
    const given = tf.tidy(() => runOp(Convolution, inputs, attributes)[0].dataSync<'float32'>());
    const difference = relativeDifference(given, expected);
    t.ok(difference <= 1e-5, `stride ${stride}: ${difference}`);
    tf.dispose(inputs);
  }
});

t.test(
  'tree scans of more than the cache: by cells of vertices, of which the last is not full',
  async (t) => {
    const [side, channels] = [161, 61]; // 12.7 MB with one group; 25,921 vertices in cells of 1,024
    const vertices = side * side;
    const numbers = new Random(1, 'tree_edges');
    const tree = perfTree(side, numbers).map(({ values }) => values as Int32Array);
    const values = (width: number, least: number) =>
      numbers.floats(vertices * width, () => least + numbers.next());
    const [x, dy] = [values(channels, -0.5), values(channels, -0.5)];
    for (const [groups, aggregate] of [
      [1, 'all'],
      [channels, 'leaves'],
    ] as const) {
      const decay = values(groups, 0);
      const { expected, given } = await onBoth(() => {
        const [order, parent] = tree.map((ids) => tf.tensor2d(ids, [1, vertices], 'int32'));
        const tensor = (array: Float32Array) => tf.tensor3d(array, [1, vertices, array.length / vertices]);
        const inputs = { x: tensor(x), decay: tensor(decay), order, parent };
        const y = treeScan(inputs.x, inputs.decay, { order, parent }, { aggregate });
        const { dx, ddecay } = treeScanGradient({ ...inputs, y, dy: tensor(dy) }, { aggregate });
        return [y, dx, ddecay];
      });
      for (const [i, name] of ['y', 'dx', 'ddecay'].entries()) {
        const difference = relativeDifference(given[i], expected[i]);
        t.ok(difference <= 2e-6, `${aggregate}, ${groups} groups, ${name}: ${difference}`);
      }
    }
  },
);

t.test('gradients over more rows than a block of sums has', async (t) => {
  const D = 13;
  const activations = (seed: number, channels = D) => random([2, 150, channels], seed);
  const [x, y, vector] = [activations(1), activations(2), random([D], 3)];
  const calls: readonly (readonly [OpDeclaration, Record<string, tf.Tensor>, Attributes?])[] = [
    [LayerNormalizationGradient, { x, gamma: vector, dy: y }],
    [RowSum, { x }],
    [LinearInputGradient, { dy: x, weights: random([21, 31], 4) }, { firstOutput: 5, endOutput: 5 + D }],
    [LinearWeightGradient, { x: y, dy: x }, { columns: 31, firstOutput: 5, endOutput: 5 + D }],
    [
      StateReadoutGradient,
      {
        ...{ state: x, outputGate: activations(5, 1), x: y, skip: vector, gate: activations(6) },
        ...{ stateGamma: vector, stateBeta: random([D], 7), outputGamma: random([D], 8), outputBeta: vector },
        dy: activations(9),
      },
    ],
    ...[1, 3].map(
      (N) =>
        [
          DiscretizeGradient,
          {
            ...{ dt: x, stepBias: vector, logA: random([D, N], 4), inputGate: activations(5, N), x: y },
            ...{ ddecay: activations(6, D * N), dinput: activations(7, D * N) },
          },
        ] as const,
    ),
  ];
  for (const [op, inputs, attributes] of calls) {
    const { expected, given } = await onBoth(() =>
      runOp(
        op,
        Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tf.clone(tensor)])),
        attributes,
      ),
    );
    expected.forEach((values, i) => {
      const difference = relativeDifference(given[i], values);
      t.ok(difference <= 1e-5, `${op.name}, ${op.outputNames[i]}: ${difference}`);
    });
  }
  tf.dispose(calls.map(([, inputs]) => inputs));
});

t.test('addresses that are multiples of four bytes only', async (t) => {
  const module = tfjsModule();
  const block = module._malloc(4 * 64) >>> 0;
  const values = Float32Array.from({ length: 23 }, (_, i) => Math.sin(i));
  const [x, y] = [block + 4, block + 4 * 31 + 4];
  new Float32Array(module.HEAPU8.buffer, x, 23).set(values);
  const { exports } = hostOf(tf.backend());
  (exports.silu_all as (x: number, y: number, size: number) => void)(x, y, 23);
  const result = Float32Array.from(new Float32Array(module.HEAPU8.buffer, y, 23));
  t.ok(
    relativeDifference(
      result,
      values.map((v) => v / (1 + Math.exp(-v))),
    ) <= 1e-6,
  );
  module._free(block);
});

t.test('suppression by cells of a grid keeps what comparing all pairs keeps', async (t) => {
  const random = new Random(5);
  const drawn: Readonly<Record<string, () => number[]>> = {
    small: () => boxAt(1000 * random.next(), 800 * random.next(), 1 + 30 * random.next()),
    large: () => boxAt(300 * random.next(), 200 * random.next(), 100 + 400 * random.next()),
    'about one centre': () => boxAt(50, 50, 20 + 3 * random.next()),
    'near the ends of float32': () =>
      boxAt(1e38 * random.normal(), 1e38 * random.normal(), 1e38 * random.next()),
    'without area, reversed, not finite': () =>
      Array.from({ length: 4 }, () => random.pick([0, 1, 2, 3, Number.NaN, Infinity, -Infinity])),
  };
  for (const [what, draw] of Object.entries(drawn)) {
    for (const threshold of [0, 0.3, 0.5, 0.7, 1]) {
      const count = 200;
      const boxes = random.floats(4 * count, numbersOf(draw));
      const scores = random.floats(count, () => random.integer(-20, 20) / 8);
      const labels = Int32Array.from({ length: count }, () => random.integer(0, 2));
      for (const how of [
        { threshold, most: count },
        { threshold, most: 40, labels },
      ]) {
        const expected = suppress(boxes, scores, how);
        const given = suppressOn(tf.backend())(boxes, scores, how);
        t.same(given, expected, `${what}, ${threshold}${'labels' in how ? ', by label' : ''}`);
      }
    }
  }
});

function boxAt(x: number, y: number, size: number): number[] {
  return [x, y, x + size, y + 0.8 * size];
}

/** The numbers of one list after another. */
function numbersOf(draw: () => number[]): () => number {
  let left: number[] = [];
  return () => {
    if (left.length === 0) left = draw();
    return left.shift() as number;
  };
}
