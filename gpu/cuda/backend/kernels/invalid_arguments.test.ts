/**
 * Tests built-in ops with invalid attributes and shapes: kernels are called directly, as a malicious model may cause. Each
 * call either returns a tensor or throws a typed error, and none accesses memory outside of its tensors.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import t from 'tap';

// The addon that checks every access of a kernel, if it is built; the emulation only detects writes.
const checking = fileURLToPath(new URL('../../build/grootvl_cuda_races.node', import.meta.url));
process.env.GROOTVL_CUDA ??= existsSync(checking) ? 'races' : 'emulation';
process.env.GROOTVL_EMULATION_BYTES ??= String(2 ** 26); // so that absurdly large sizes quickly run out of memory

const { startCuda } = await import('../testing/cuda_backend.js');
await startCuda();
fc.configureGlobal({ includeErrorInReport: true });

/** Random calls per example, with another seed in every run. */
const RUNS = Number(process.env.GROOTVL_RUNS ?? 20);

/** A valid call. Shapes are by input name, or of a list. */
interface Example {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly attrs?: object;
}

const window = { strides: [1, 2], pad: 'same', dataFormat: 'NHWC', dilations: [1, 1] };
const explicitPad = {
  strides: [2, 1],
  pad: [
    [0, 0],
    [1, 0],
    [0, 2],
    [0, 0],
  ],
  dataFormat: 'NHWC',
  dilations: [1, 1],
};
const pool = { filterSize: [2, 3], strides: [2, 1], pad: 1 };
const images = { images: [2, 3, 4, 2] };
const convolved = { x: [2, 5, 6, 3], filter: [3, 2, 3, 4] };
const separable = { x: [2, 5, 6, 3], filter: [3, 2, 3, 2] };
const reduction = { shapes: { x: [3, 4, 5] }, attrs: { axis: [0, 2], keepDims: true } };
const masks = { beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 };

const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  Slice: [{ shapes: { x: [4, 6] }, attrs: { begin: [1, 2], size: [2, -1] } }],
  StridedSlice: [
    { shapes: { x: [5, 6] }, attrs: { begin: [1, 5], end: [5, 0], strides: [2, -2], ...masks } },
    {
      shapes: { x: [5, 6] },
      attrs: { begin: [1, 1], end: [2, 6], strides: [1, 1], ...masks, shrinkAxisMask: 1 },
    },
  ],
  SplitV: [
    { shapes: { x: [2, 6] }, attrs: { numOrSizeSplits: [1, 2, 3], axis: 1 } },
    { shapes: { x: [2, 6] }, attrs: { numOrSizeSplits: 3, axis: -1 } },
  ],
  Unpack: [{ shapes: { value: [2, 3, 4] }, attrs: { num: 3, axis: 1 } }],
  Reverse: [{ shapes: { x: [3, 4, 2] }, attrs: { dims: [0, 2] } }],
  FlipLeftRight: [{ shapes: { image: [2, 3, 4, 2] } }],
  Transpose: [
    { shapes: { x: [3, 4, 5] }, attrs: { perm: [2, 0, 1] } },
    { shapes: { x: [33, 40] }, attrs: { perm: [1, 0] } },
  ],
  DepthToSpace: [{ shapes: { x: [2, 2, 3, 8] }, attrs: { blockSize: 2, dataFormat: 'NHWC' } }],
  SpaceToBatchND: [
    {
      shapes: { x: [2, 4, 5, 3] },
      attrs: {
        blockShape: [2, 3],
        paddings: [
          [0, 0],
          [1, 0],
        ],
      },
    },
  ],
  BatchToSpaceND: [
    {
      shapes: { x: [12, 2, 3, 2] },
      attrs: {
        blockShape: [2, 3],
        crops: [
          [1, 0],
          [0, 2],
        ],
      },
    },
  ],
  Concat: [{ shapes: { 0: [2, 3], 1: [2, 4], 2: [2, 0] }, attrs: { axis: 1 } }],
  Pack: [{ shapes: { 0: [2, 3], 1: [2, 3] }, attrs: { axis: 1 } }],
  AddN: [{ shapes: { 0: [2, 3], 1: [2, 3], 2: [2, 3], 3: [2, 3], 4: [2, 3] } }],
  Tile: [{ shapes: { x: [2, 3] }, attrs: { reps: [2, 1] } }],
  PadV2: [
    {
      shapes: { x: [3, 4] },
      attrs: {
        paddings: [
          [1, 0],
          [2, 3],
        ],
        constantValue: 1,
      },
    },
  ],
  MirrorPad: [
    {
      shapes: { x: [3, 4] },
      attrs: {
        paddings: [
          [1, 2],
          [0, 3],
        ],
        mode: 'reflect',
      },
    },
  ],
  ResizeBilinear: [
    { shapes: images, attrs: { size: [6, 3], alignCorners: false, halfPixelCenters: true } },
    { shapes: images, attrs: { size: [6, 3], alignCorners: true, halfPixelCenters: false } },
  ],
  ResizeNearestNeighbor: [
    { shapes: images, attrs: { size: [6, 3], alignCorners: false, halfPixelCenters: true } },
    { shapes: images, attrs: { size: [6, 3], alignCorners: true, halfPixelCenters: false } },
  ],
  ResizeBilinearGrad: [{ shapes: { ...images, dy: [2, 6, 3, 2] }, attrs: { alignCorners: true } }],
  ResizeNearestNeighborGrad: [{ shapes: { ...images, dy: [2, 6, 3, 2] }, attrs: { alignCorners: false } }],
  Conv2D: [
    { shapes: convolved, attrs: window },
    { shapes: convolved, attrs: explicitPad },
    { shapes: { x: [2, 5, 6, 3], filter: [1, 1, 3, 4] }, attrs: { ...window, strides: 1, pad: 'valid' } },
    { shapes: { x: [2, 3, 5, 6], filter: [3, 2, 3, 4] }, attrs: { ...window, dataFormat: 'NCHW' } },
  ],
  FusedConv2D: [
    { shapes: { ...convolved, bias: [4] }, attrs: { ...window, activation: 'relu' } },
    {
      shapes: { ...convolved, bias: [4], preluActivationWeights: [3, 4] },
      attrs: { ...window, activation: 'prelu' },
    },
  ],
  Conv2DBackpropInput: [
    {
      shapes: { dy: [2, 5, 3, 4], filter: [3, 2, 3, 4] },
      attrs: { ...window, inputShape: [2, 5, 6, 3], dimRoundingMode: 'floor' },
    },
    {
      shapes: { dy: [2, 5, 6, 4], filter: [1, 1, 3, 4] },
      attrs: { ...window, strides: 1, inputShape: [2, 5, 6, 3] },
    },
  ],
  Conv2DBackpropFilter: [
    { shapes: { x: [2, 5, 6, 3], dy: [2, 5, 3, 4] }, attrs: { ...window, filterShape: [3, 2, 3, 4] } },
  ],
  DepthwiseConv2dNative: [
    { shapes: separable, attrs: window },
    {
      shapes: { x: [2, 5, 6, 4], filter: [3, 2, 4, 1] },
      attrs: { ...window, strides: 1, dilations: [2, 1] },
    },
  ],
  FusedDepthwiseConv2D: [{ shapes: { ...separable, bias: [6] }, attrs: { ...window, activation: 'elu' } }],
  DepthwiseConv2dNativeBackpropInput: [
    { shapes: { dy: [2, 5, 3, 6], filter: [3, 2, 3, 2] }, attrs: { ...window, inputShape: [2, 5, 6, 3] } },
  ],
  DepthwiseConv2dNativeBackpropFilter: [
    { shapes: { x: [2, 5, 6, 3], dy: [2, 5, 3, 6] }, attrs: { ...window, filterShape: [3, 2, 3, 2] } },
  ],
  MaxPool: [
    { shapes: { x: [2, 5, 6, 3] }, attrs: pool },
    { shapes: { x: [2, 5, 6, 3] }, attrs: { filterSize: 1, strides: 1, pad: 'valid' } },
  ],
  AvgPool: [{ shapes: { x: [2, 5, 6, 3] }, attrs: pool }],
  MaxPoolGrad: [{ shapes: { dy: [2, 3, 3, 3], input: [2, 5, 4, 3], output: [2, 3, 3, 3] }, attrs: pool }],
  AvgPoolGrad: [{ shapes: { dy: [2, 3, 3, 3], input: [2, 5, 4, 3] }, attrs: pool }],
  GatherV2: [
    { shapes: { x: [2, 5, 3], indices: [4] }, attrs: { axis: 1, batchDims: 0 } },
    { shapes: { x: [2, 5, 3], indices: [2, 4] }, attrs: { axis: 1, batchDims: 1 } },
  ],
  GatherNd: [{ shapes: { params: [3, 4, 2], indices: [5, 2] } }],
  ScatterNd: [{ shapes: { indices: [5, 2], updates: [5, 2] }, attrs: { shape: [3, 4, 2] } }],
  TensorScatterUpdate: [{ shapes: { tensor: [3, 4, 2], indices: [5, 1], updates: [5, 4, 2] } }],
  SparseToDense: [
    {
      shapes: { sparseIndices: [5, 2], sparseValues: [5], defaultValue: [] },
      attrs: { outputShape: [3, 4] },
    },
  ],
  UnsortedSegmentSum: [{ shapes: { x: [6, 2], segmentIds: [6] }, attrs: { numSegments: 3 } }],
  Cumsum: [
    { shapes: { x: [3, 4, 2] }, attrs: { axis: 1, exclusive: true, reverse: false } },
    { shapes: { x: [2, 100] }, attrs: { axis: 1, exclusive: false, reverse: true } },
  ],
  Cumprod: [{ shapes: { x: [3, 4] }, attrs: { axis: 0, exclusive: false, reverse: true } }],
  Sum: [reduction],
  Mean: [reduction],
  Prod: [reduction],
  Min: [reduction],
  Max: [{ ...reduction, attrs: { reductionIndices: [0, 2], keepDims: false } }],
  ArgMax: [{ shapes: { x: [3, 4, 5] }, attrs: { axis: 1 } }],
  ArgMin: [{ shapes: { x: [3, 4, 5] }, attrs: { axis: 2 } }],
  Softmax: [{ shapes: { logits: [3, 7] }, attrs: { dim: 1 } }],
  OneHot: [{ shapes: { indices: [2, 3] }, attrs: { depth: 4, onValue: 1, offValue: 0, dtype: 'float32' } }],
  Fill: [{ shapes: {}, attrs: { shape: [2, 3], value: 2, dtype: 'float32' } }],
  FusedBatchNorm: [
    {
      shapes: { x: [2, 3, 4], mean: [4], variance: [4], offset: [4], scale: [4] },
      attrs: { varianceEpsilon: 0.1 },
    },
  ],
  Select: [
    { shapes: { condition: [3, 4], t: [3, 4], e: [3, 4] } },
    { shapes: { condition: [3], t: [3, 4], e: [3, 4] } },
  ],
  BatchMatMul: [
    { shapes: { a: [2, 3, 4], b: [2, 4, 5] }, attrs: { transposeA: false, transposeB: false } },
    { shapes: { a: [3, 1, 4, 7], b: [2, 5, 4] }, attrs: { transposeA: true, transposeB: true } },
  ],
  _FusedMatMul: [
    {
      shapes: { a: [1, 3, 4], b: [1, 4, 5], bias: [5] },
      attrs: { transposeA: false, transposeB: false, activation: 'relu' },
    },
  ],
  Add: [{ shapes: { a: [2, 1, 4], b: [3, 4] } }],
  Atan2: [{ shapes: { a: [2, 1, 4], b: [3, 1] } }],
  Prelu: [{ shapes: { x: [2, 3, 4], alpha: [4] } }],
  Exp: [{ shapes: { x: [2, 3] } }],
  ClipByValue: [{ shapes: { x: [2, 3] }, attrs: { clipValueMin: 0, clipValueMax: 1 } }],
  Reshape: [{ shapes: { x: [2, 6] }, attrs: { shape: [3, -1] } }],
  ExpandDims: [{ shapes: { input: [2, 3] }, attrs: { dim: 1 } }],
  Complex: [{ shapes: { real: [2, 3], imag: [2, 3] } }],
};

const INTEGERS = new Set(['indices', 'sparseIndices', 'segmentIds']);

/** Numbers that are invalid for most attributes, and some that are valid for many. */
const numbers = fc.oneof(
  fc.integer({ min: -8, max: 12 }),
  fc.constantFrom(
    ...[-0, 0.5, 1.5, -0.5, 1e-9, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ...[255, 2 ** 16, 2 ** 24 + 1, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, 1e300],
  ),
);

/** One number replaced, or an array made shorter or longer; `at` selects which. */
const mutations = fc.record({
  at: fc.nat(),
  ofShapes: fc.boolean(),
  how: fc.constantFrom('replace', 'replace', 'replace', 'shorten', 'lengthen', 'repeat'),
  number: numbers,
  extent: fc.integer({ min: 0, max: 8 }),
});
type Mutation = typeof mutations extends fc.Arbitrary<infer M> ? M : never;

/** Objects that hold numbers, with the keys of these. */
function numbersIn(value: unknown): { holder: Record<string, unknown> | unknown[]; key: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === 'number' ? [{ holder: value as Record<string, unknown>, key }] : numbersIn(inner),
  );
}

function mutate(example: Example, { at, ofShapes, how, number, extent }: Mutation): void {
  const found = numbersIn(ofShapes ? example.shapes : example.attrs);
  if (found.length === 0) return;
  const { holder, key } = found[at % found.length];
  const value = ofShapes ? extent : number;
  if (Array.isArray(holder) && how === 'shorten') holder.pop();
  else if (Array.isArray(holder) && how === 'lengthen') holder.push(value);
  else if (Array.isArray(holder) && how === 'repeat') holder[Number(key)] = holder[0];
  else (holder as Record<string, unknown>)[key] = value;
}

/** Values from -2 to 2; indices from -1 to 3, some of which are in range. */
function tensorOf(name: string, shape: readonly number[]): tf.Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  if (name === 'condition')
    return tf.tensor(
      Uint8Array.from({ length: size }, (_, i) => i % 2),
      [...shape],
      'bool',
    );
  const values = Array.from({ length: size }, (_, i) => ((i * 7) % 5) - 2);
  if (INTEGERS.has(name)) {
    // Computed on the device, so that they cannot be checked before the kernel runs.
    const indices = tf.tensor(
      values.map((value) => value + 1),
      [...shape],
      'int32',
    );
    return tf.mul(indices, tf.scalar(1, 'int32'));
  }
  return tf.tensor(values, [...shape], 'float32');
}

/** The contents of fresh memory of the emulation, read as a float32 and as an int32. */
const GARBAGE = new Set([new Float32Array(new Uint32Array([0xcbcbcbcb]).buffer)[0], 0xcbcbcbcb | 0]);

/**
 * Runs a kernel.
 * @throws {Error} what the kernel throws, or if a result is not a tensor or contains unwritten memory.
 */
function run(op: string, { shapes, attrs }: Example): void {
  tf.tidy(() => {
    const named = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, tensorOf(name, shape)]),
    );
    const inputs = '0' in named ? Object.values(named) : named;
    const results = tf.engine().runKernel(op, inputs as tf.NamedTensorMap, attrs as tf.NamedAttrMap);
    for (const result of [results as tf.Tensor | tf.Tensor[]].flat()) {
      const isShape = result.shape.every((extent) => Number.isInteger(extent) && extent >= 0);
      if (!isShape) throw new Error(`a result has shape [${result.shape}]`);
      const values = result.dataSync();
      const parts = result.dtype === 'complex64' ? 2 : 1;
      if (values.length !== parts * result.size)
        throw new Error(`${values.length} values of [${result.shape}]`);
      if (values.some((value) => GARBAGE.has(value)))
        throw new Error('a result has values that nobody wrote');
    }
  });
}

const TYPED = ['OpError', 'CudaOutOfMemoryError'];

for (const [op, examples] of Object.entries(EXAMPLES).filter(
  ([op]) => !process.env.ONLY || process.env.ONLY.split(',').includes(op),
)) {
  t.test(op, (t) => {
    const before = tf.memory().numTensors;
    for (const example of examples) {
      t.doesNotThrow(() => run(op, example), 'as it should be called');
      const property = fc.property(fc.array(mutations, { minLength: 1, maxLength: 3 }), (changes) => {
        const changed = structuredClone(example);
        for (const change of changes) mutate(changed, change);
        try {
          run(op, changed);
        } catch (error) {
          const { name, message } = error as Error;
          if (TYPED.includes(name) && message.length < 1000) return;
          throw new Error(`${op} ${show(changed)}: ${(error as Error).stack}`);
        }
      });
      t.doesNotThrow(() => fc.assert(property, { numRuns: RUNS }));
    }
    t.equal(tf.memory().numTensors, before);
    t.end();
  });
}

t.test('a number of segments that would keep the CPU busy for hours', async (t) => {
  const example = { shapes: { x: [6, 2], segmentIds: [2, 3] }, attrs: { numSegments: 2 ** 24 + 1 } };
  t.throws(() => run('UnsortedSegmentSum', example), {
    message: /UnsortedSegmentSum: numSegments is \[16777217\], expected 1 integers from 0 to 65536/,
  });
});

function show(example: Example): string {
  return JSON.stringify(example, (_, value) => (typeof value === 'number' ? `${value}` : value));
}
