/**
 * Tests every op with mismatched shapes and indices, in tfjs's own heap with guard words around each allocation: it either
 * returns a result or throws a typed error, and writes only to its own memory.
 */
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import t from 'tap';
import { gridGraph, quantizedLinear } from '../plugin/index.js';
import { sizeOf } from '../plugin/kernels/sizes.js';
import { Convolution, ConvolutionInputGradient } from '../plugin/ops/convolution.js';
import type { OpDeclaration } from '../plugin/ops/declaration.js';
import { edgeDissimilaritySpec } from '../plugin/ops/edge_dissimilarity.spec.js';
import { ALL_OPS } from '../plugin/ops/index.js';
import { completeAttributes } from '../plugin/ops/input_checks.js';
import { runOp } from '../plugin/ops/kernels.js';
import { tfjsModule } from '../testing/wasm_backend.js';
import './index.js';
import { PART_FLAG } from './threads.js';

tf.enableProdMode();
tf.env().set(PART_FLAG, 1); // small work is split as well
await tf.setBackend('wasm');
await tf.ready();

const GUARD = 64;
const PATTERN = 0xa5;

/**
 * Puts guards around all further allocations.
 * @returns a function that returns how many of them were overwritten since its last call
 */
function guardAllocations(): () => number {
  const module = tfjsModule();
  module._free(module._malloc(8)); // Emscripten installs the actual functions on their first call
  const { _malloc: malloc, _free: free } = module;
  const sizes = new Map<number, number>();
  const damaged = (address: number, bytes: number) =>
    [address - GUARD, address + bytes].some((start) =>
      module.HEAPU8.subarray(start, start + GUARD).some((byte) => byte !== PATTERN),
    );
  let count = 0;
  module._malloc = (bytes) => {
    const start = malloc(bytes + 2 * GUARD) >>> 0;
    if (start === 0) return 0;
    module.HEAPU8.fill(PATTERN, start, start + bytes + 2 * GUARD);
    sizes.set(start + GUARD, bytes);
    return start + GUARD;
  };
  module._free = (given) => {
    const address = given >>> 0;
    const bytes = sizes.get(address);
    if (bytes === undefined) return free(address);
    if (damaged(address, bytes)) count++;
    sizes.delete(address);
    free(address - GUARD);
  };
  return () => {
    for (const [address, bytes] of sizes) if (damaged(address, bytes)) count++;
    return count;
  };
}

const damages = guardAllocations();

/** Consistent extents, by the letters of declarations; V is that of a grid of 2 x 3 pixels, E the number of its edges. */
const LETTERS = {
  A: 4,
  B: 2,
  C: 8,
  D: 8,
  E: 7,
  G: 2,
  H: 6,
  I: 8,
  K: 3,
  L: 6,
  N: 2,
  O: 5,
  P: 6,
  Q: 2,
  R: 3,
  S: 3,
  T: 2,
  U: 5,
  V: 6,
  W: 3,
  X: 2,
  Y: 1,
};
/**
 * Maximum number of elements of an input: a tensor of a gigabyte shows no more than one of 16 MB, and takes seconds to fill.
 */
const LARGEST = 2 ** 22;
/** Attributes that have no default and are not extents. */
const REQUIRED: Readonly<Record<string, number>> = {
  numVertices: LETTERS.V,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  keep: 1,
  rate: 0.1,
  correction: 1,
  momentum: 0.9,
  decay: 0.1,
  zeta: 1,
};

/** Returns attributes of an op that match the shapes. */
function attributesOf(op: OpDeclaration): Record<string, number> {
  const values = Object.entries(op.attributes).map(([name, attribute]) => {
    const letter = 'letter' in attribute ? attribute.letter : undefined;
    return [name, REQUIRED[name] ?? LETTERS[letter as keyof typeof LETTERS]];
  });
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/** Returns valid shapes of an op's inputs, including optional ones. */
function shapesOf(op: OpDeclaration): Record<string, number[]> {
  const letters: Record<string, number> = { ...LETTERS };
  const attributes = completeAttributes(op, attributesOf(op));
  for (const { letter, evaluate } of op.parsed.derived) letters[letter] = evaluate(letters, attributes);
  return Object.fromEntries(
    op.parsed.inputs.map(({ name, shape: { anyRank, extents } }) => [
      name,
      [...(anyRank ? [2, 3] : []), ...extents.map(({ evaluate }) => evaluate(letters))],
    ]),
  );
}

/**
 * Returns the edges of a grid, a chain from vertex 0 for every row, level sizes of which the first has all, or values from
 * -1 to 1; `shift` is added to the last id.
 */
function tensorOf(name: string, dtype: string, shape: number[], shift: number): tf.Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  if (dtype === 'float32')
    return tf.tensor(
      Float32Array.from({ length: size }, (_, i) => Math.sin(i)),
      shape,
    );
  const columns = shape.at(-1) ?? 1;
  const edges = tf.tidy(() => gridGraph(2, 3).dataSync());
  const idAt = (i: number) => {
    if (name === 'edges') return edges[i % edges.length];
    if (name === 'levelSizes') return i === 0 ? LETTERS.A : 0;
    return name === 'parent' ? Math.max(0, (i % columns) - 1) : i % columns;
  };
  return tf.tensor(
    Int32Array.from({ length: size }, (_, i) => idAt(i) + (i === size - 1 ? shift : 0)),
    shape,
    'int32',
  );
}

const changes = fc.record({
  /** Which extent is replaced by which, if any, and whether in all inputs. */
  at: fc.nat(),
  extent: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constantFrom(64, 257)),
  inAll: fc.boolean(),
  how: fc.constantFrom('keep', 'keep', 'drop', 'replace'),
  /** An offset that is added to the last id of one input. */
  wrong: fc.constantFrom('order', 'parent', 'edges', 'starts', 'terms', 'ranges', 'levelSizes'),
  shift: fc.constantFrom(0, -7, -1, 1, 2 ** 20, 2 ** 30, -(2 ** 31)),
  attribute: fc.constantFrom(
    undefined,
    undefined,
    undefined,
    -1,
    0,
    1,
    0.5,
    Number.NaN,
    2 ** 31,
    1e300,
    'all',
  ),
});

for (const op of ALL_OPS.filter(({ name }) => tf.getKernel(name, 'wasm'))) {
  t.test(op.name, (t) => {
    const run = (shapes: Record<string, number[]>, wrong: string, shift: number, attributes: object) =>
      tf.tidy(() => {
        const inputs = Object.fromEntries(
          Object.entries(shapes).map(([name, shape]) => [
            name,
            tensorOf(name, op.inputs[name].dtype, shape, name === wrong ? shift : 0),
          ]),
        );
        const results = tf.engine().runKernel(op.name, inputs, attributes as tf.NamedAttrMap);
        for (const result of [results].flat()) result.dataSync();
      });
    const attributes = attributesOf(op);
    t.doesNotThrow(() => run(shapesOf(op), '', 0, attributes), 'as it should be called');
    const property = fc.property(fc.array(changes, { minLength: 1, maxLength: 2 }), (all) => {
      const shapes = shapesOf(op);
      const changed: Record<string, unknown> = { ...attributes };
      for (const { at, extent, inAll, how, attribute } of all) {
        const places = Object.values(shapes).flatMap((shape) => shape.map((_, axis) => ({ shape, axis })));
        if (places.length === 0) continue;
        const { shape, axis } = places[at % places.length];
        const before = shape[axis];
        if (how === 'drop') shape.splice(axis, 1);
        if (how === 'replace') {
          shape[axis] = extent;
          if (inAll)
            for (const other of places)
              if (other.shape[other.axis] === before) other.shape[other.axis] = extent;
        }
        const names = Object.keys(op.attributes);
        if (attribute !== undefined && names.length > 0) changed[names[at % names.length]] = attribute;
      }
      if (Object.values(shapes).some((shape) => sizeOf(shape) > LARGEST)) return;
      try {
        run(shapes, all[0].wrong, all[0].shift, changed);
      } catch (error) {
        const { name, message } = error as Error;
        if (name !== 'OpError' && !/out of memory/.test(message)) throw error;
      }
      if (damages() > 0) throw new Error(`guards were written: ${JSON.stringify({ shapes, changed })}`);
    });
    t.doesNotThrow(() => fc.assert(property, { numRuns: 150 }));
    t.end();
  });
}

t.test('rows without a term, over weights of 8 bits', (t) => {
  for (const rows of [2, 9]) {
    const y = tf.tidy(() =>
      quantizedLinear(tf.zeros([rows, 0]), tf.zeros([0, 5], 'int32'), tf.ones([5]), tf.ones([5])).dataSync(),
    );
    t.same([...y], Array(5 * rows).fill(1), 'the bias');
  }
  t.equal(damages(), 0);
  t.end();
});

t.test('convolutions of no channels, of few positions and of many', (t) => {
  for (const side of [3, 20]) {
    const filter = tf.zeros([3, 3, 0, 5]);
    const attributes = { padding: [1, 1, 1, 1] };
    const inputs = { x: tf.zeros([1, side, side, 0]), filter, bias: tf.ones([5]) };
    const [y] = runOp(Convolution, inputs, attributes);
    t.ok(
      y.dataSync().every((value) => value === 1),
      'the bias',
    );
    const of = { ...attributes, height: side, width: side };
    const [dx] = runOp(ConvolutionInputGradient, { dy: y, filter }, of);
    t.same(dx.shape, inputs.x.shape);
    tf.dispose([...Object.values(inputs), y, dx]);
  }
  t.equal(damages(), 0);
  t.end();
});

t.test('results beyond the addresses of a heap', (t) => {
  tf.tidy(() => {
    const edges = tf.zeros([2 ** 15, 2], 'int32');
    const features = tf.zeros([2 ** 15, 1, 1]);
    t.throws(() => tf.engine().runKernel(edgeDissimilaritySpec.op.name, { features, edges }), {
      message: /^tfjs-grootvl\/wasm: out of memory \(\d+ bytes\)$/,
    });
  });
  t.equal(damages(), 0);
  t.end();
});
