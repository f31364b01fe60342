/** Tests integer products: on every path, both builds give the same bits as the plain TypeScript kernel. */
import { setFlagsFromString } from 'node:v8';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { quantizedRow } from '../plugin/cpu/quantized_product.js';
import { quantizedLinear } from '../plugin/index.js';
import { runOp } from '../plugin/ops/kernels.js';
import { packedCodes } from '../plugin/ops/quantized_codes.js';
import { QuantizedConvolution } from '../plugin/ops/quantized_convolution.js';
import { QuantizedGatedLinear, QuantizedResidualLinear } from '../plugin/ops/quantized_linear.js';
import { Random } from '../plugin/ops/spec/random.js';
import { onCpu, watchAllocations } from '../testing/wasm_backend.js';
import './index.js';
import { moduleNow, type WasmFileName } from './module_files.js';
import { productModule, type QuantizedFunctions, sumsFused } from './quantized_module.js';

// Node 20 has relaxed SIMD behind a flag, and its baseline compiler has a bug there; later engines need neither flag.
const NODE_20 = process.versions.node.startsWith('20.');
if (NODE_20)
  for (const flag of ['--experimental-wasm-relaxed-simd', '--no-liftoff']) setFlagsFromString(flag);

const FILES = ['quantized.wasm', 'quantized_relaxed.wasm'] as const satisfies readonly WasmFileName[];

t.before(async () => {
  await tf.setBackend('wasm');
  await tf.ready();
});

/** A memory with its own module. */
function instance(file: WasmFileName) {
  const memory = new WebAssembly.Memory({ initial: 64 });
  const { exports } = new WebAssembly.Instance(moduleNow(file, 'plain'), { env: { memory } });
  let top = 1024;
  const allocate = (bytes: number) => {
    const address = top;
    top += Math.ceil(bytes / 16) * 16;
    return address;
  };
  const put = (values: Float32Array | Int32Array) => {
    const address = allocate(values.byteLength);
    new Uint8Array(memory.buffer).set(new Uint8Array(values.buffer), address);
    return address;
  };
  return { functions: exports as unknown as QuantizedFunctions, memory, allocate, put, free: () => {} };
}

const CASES = [
  { rows: 1, inputs: 1, columns: 1 },
  { rows: 4, inputs: 8, columns: 8 },
  { rows: 5, inputs: 37, columns: 27, bias: true },
  { rows: 4, inputs: 33, columns: 26, used: [3, 22], residual: true },
  { rows: 64, inputs: 160, columns: 64, used: [8, 40], bias: true },
  // Sums of products beyond 16 bits, of either sign.
  { rows: 9, inputs: 130, columns: 31, codes: 127 },
  { rows: 3, inputs: 24, columns: 9, codes: -127, bias: true },
  { rows: 6, inputs: 20, columns: 12, x: 0 },
  { rows: 6, inputs: 20, columns: 12, x: 1e-38 },
  { rows: 5, inputs: 19, columns: 12, x: 3 },
  { rows: 7, inputs: 45, columns: 20, x: -0.5, bias: true, residual: true },
  { rows: 2, inputs: 45, columns: 21, bias: true, residual: true },
] as const;

for (const file of FILES) {
  t.test(`${file}: the bits of the definition, in every way`, async (t) => {
    for (const [i, sizes] of CASES.entries()) {
      const { rows, inputs, columns } = sizes;
      const { used = [0, columns], bias: hasBias, residual: hasResidual, ...constants } = sizes as Case;
      const { codes: code, x: constant } = constants;
      const random = new Random(i, 'products');
      const x = random.floats(rows * inputs, () => constant ?? random.normal() + 0.3);
      const codes = Array.from({ length: inputs * columns }, () => code ?? random.integer(-127, 127));
      const scales = random.floats(columns, () => random.next() / 100);
      const bias = hasBias ? random.floats(columns, () => random.normal()) : undefined;
      const residual = hasResidual
        ? random.floats(rows * (used[1] - used[0]), () => random.normal())
        : undefined;
      const expected = definition({ x, codes, scales, bias, residual, rows, inputs, columns, used });
      const { functions, memory, allocate, put } = instance(file);
      const [first, end] = used;
      const outputs = end - first;
      const [atX, atCodes, atScales] = [put(x), put(packedCodes(codes, columns)), put(scales)];
      const atBias = bias ? put(bias) : 0;
      const atResidual = residual ? put(residual) : 0;
      const tiles = allocate(functions.quantizedTileBytes(rows, inputs));
      const totals = allocate(functions.quantizedTotalBytes(outputs));
      const packed = allocate(functions.quantizedPackBytes(inputs, outputs));
      const y = allocate(4 * rows * outputs + 4);
      functions.quantizedRows(atX, tiles, rows, inputs);
      functions.quantizedTotals(atCodes, totals, inputs, columns, first, end);
      functions.quantizedPack(atCodes, atScales, atBias, totals, packed, inputs, columns, first, end);
      const product = (fused: number) =>
        functions.quantizedProduct(tiles, packed, atResidual, y, rows, inputs, outputs, fused);
      const weights = [tiles, atCodes, atScales, atBias] as const;
      const ways = {
        'in 16 bits': () => product(0),
        'in 32 bits': () => product(1),
        'in place': () =>
          functions.quantizedStream(...weights, atResidual, y, rows, inputs, columns, first, end),
      };
      for (const [way, run] of Object.entries(ways)) {
        new Uint32Array(memory.buffer, y, rows * outputs + 1).fill(0xa5a5a5a5);
        run();
        const given = new Float32Array(memory.buffer, y, rows * outputs);
        const at = expected.findIndex((value, j) => !Object.is(value + 0, given[j] + 0));
        t.equal(at, -1, `${JSON.stringify(sizes)}, ${way}: ${given[at]}, expected ${expected[at]}`);
        t.equal(new Uint32Array(memory.buffer, y + 4 * rows * outputs, 1)[0], 0xa5a5a5a5, 'nothing behind');
      }
    }
  });
}

interface Case {
  readonly used?: readonly [number, number];
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly codes?: number;
  readonly x?: number;
}

function definition(args: {
  readonly x: Float32Array;
  readonly codes: readonly number[];
  readonly scales: Float32Array;
  readonly bias?: Float32Array;
  readonly residual?: Float32Array;
  readonly rows: number;
  readonly inputs: number;
  readonly columns: number;
  readonly used: readonly [number, number];
}): Float32Array {
  const { x, codes, scales, bias, residual, rows, inputs, columns, used } = args;
  const y: number[] = [];
  for (let row = 0; row < rows; row++) {
    const { centred, scale } = quantizedRow(x.subarray(row * inputs, (row + 1) * inputs));
    for (let o = used[0]; o < used[1]; o++) {
      const sum = centred.reduce((total, value, k) => total + value * codes[k * columns + o], 0);
      y.push(Math.fround(Math.fround(Math.fround(sum) * Math.fround(scale * scales[o])) + (bias?.[o] ?? 0)));
    }
  }
  return Float32Array.from(y, (value, i) => value + (residual?.[i] ?? 0));
}

t.test('the build for relaxed SIMD is taken where it is right, and else the other one', async (t) => {
  const space = instance('quantized.wasm');
  const chosen = (moduleOf: (file: WasmFileName) => WebAssembly.Module) => productModule(moduleOf, space);
  const compiled = (file: WasmFileName) => moduleNow(file, 'plain');
  t.equal(chosen(compiled), compiled('quantized_relaxed.wasm'));
  // An engine with a bug: its sums of products have the wrong sign.
  const bytes = wrongBytes(compiled);
  t.equal(
    chosen((file) => (file === 'quantized.wasm' ? compiled(file) : bytes)),
    compiled('quantized.wasm'),
  );
  const { functions } = instance('quantized_relaxed.wasm');
  t.type(sumsFused(functions, space), 'boolean');
  t.equal(sumsFused(instance('quantized.wasm').functions, space), false, 'there is no such instruction');
});

/** A module with the same functions that writes nothing. */
function wrongBytes(compiled: (file: WasmFileName) => WebAssembly.Module): WebAssembly.Module {
  const names = WebAssembly.Module.exports(compiled('quantized.wasm')).filter(
    ({ kind }) => kind === 'function',
  );
  const section = (id: number, content: readonly number[]) => [
    id,
    (content.length & 0x7f) | 0x80,
    content.length >> 7,
    ...content,
  ];
  const text = (value: string) => [value.length, ...Buffer.from(value)];
  // Every function takes eleven numbers, of which callers may pass fewer, and returns 1024.
  const types = [1, 0x60, 11, ...new Array(11).fill(0x7f), 1, 0x7f];
  const memory = [1, ...text('env'), ...text('memory'), 2, 0, 1];
  const exports = [names.length, ...names.flatMap(({ name }, i) => [...text(name), 0, i])];
  const code = [names.length, ...names.flatMap(() => [5, 0, 0x41, 0x80, 0x08, 0x0b])];
  return new WebAssembly.Module(
    Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, types),
      ...section(2, memory),
      ...section(3, [names.length, ...names.map(() => 0)]),
      ...section(7, exports),
      ...section(10, code),
    ]),
  );
}

t.test('the ops give what they give on cpu, in any number of parts, and leave nothing behind', async (t) => {
  const random = new Random(1, 'ops');
  const tensors = (inputs: number, outputs: number) => ({
    codes: tf.tensor2d(
      packedCodes(
        Array.from({ length: inputs * outputs }, () => random.integer(-127, 127)),
        outputs,
      ),
      [Math.ceil(inputs / 4), outputs],
      'int32',
    ),
    scales: tf.tensor1d(random.floats(outputs, () => random.next() / 100)),
    bias: tf.tensor1d(random.floats(outputs, () => random.normal())),
  });
  const values = (shape: number[]) =>
    tf.tensor(
      random.floats(tf.util.sizeFromShape(shape), () => random.normal()),
      shape,
    );
  const run = () =>
    tf.tidy(() => {
      random.restore(1);
      const wide = tensors(200, 300);
      const filter = tensors(3 * 3 * 20, 40);
      return [
        quantizedLinear(values([2, 300, 200]), wide.codes, wide.scales, wide.bias),
        quantizedLinear(values([3, 200]), wide.codes, wide.scales, undefined, {
          firstOutput: 5,
          endOutput: 290,
        }),
        ...[300, 2].flatMap((rows) => {
          const [x, residual] = [values([rows, 200]), values([rows, 300])];
          return [
            runOp(QuantizedResidualLinear, { x, residual, ...wide })[0],
            runOp(QuantizedGatedLinear, { x, ...wide })[0], // the gate's last bits depend on its activation
          ];
        }),
        runOp(
          QuantizedConvolution,
          { x: values([2, 21, 19, 20]), ...filter },
          { rows: 3, columns: 3, padding: [1, 1, 1, 1], activation: 'relu' },
        )[0],
      ].map((tensor) => tensor.dataSync());
    });
  const expected = await onCpu(async () => run());
  run();
  const blocks = watchAllocations();
  for (const nanoseconds of [20_000, 1]) {
    tf.env().set('GROOTVL_WASM_PART_NANOSECONDS', nanoseconds);
    run().forEach((given, i) => {
      t.ok(
        given.every((value, j) => value === expected[i][j]),
        `op ${i}, parts of ${nanoseconds} ns`,
      );
    });
  }
  tf.env().set('GROOTVL_WASM_PART_NANOSECONDS', 20_000);
  t.equal(blocks.size, 0, 'memory is freed');
});

t.test('parts of the same weights that begin at one column', async (t) => {
  const random = new Random(3);
  const normal = (count: number) => random.floats(count, () => random.normal());
  const [x, scales] = [tf.tensor2d(normal(20 * 24), [20, 24]), tf.tensor1d(normal(64))];
  const codes = tf.tensor2d(
    packedCodes(
      Array.from({ length: 24 * 64 }, () => random.integer(-127, 127)),
      64,
    ),
    [6, 64],
    'int32',
  );
  for (const [firstOutput, endOutput] of [
    [8, 16],
    [8, 64],
    [0, 64],
    [0, 8],
  ]) {
    const part = () => quantizedLinear(x, codes, scales, undefined, { firstOutput, endOutput });
    const [whole, found] = [quantizedLinear(x, codes, scales), part()];
    const expected = tf.slice(whole, [0, firstOutput], [-1, endOutput - firstOutput]);
    t.same(found.dataSync(), expected.dataSync(), `${firstOutput} to ${endOutput}`);
    tf.dispose([whole, found, expected]);
  }
  tf.dispose([x, codes, scales]);
});

t.test('weights of 8 bits are not trained', async (t) => {
  const [codes, scales] = [tf.ones([1, 2], 'int32'), tf.ones([2])];
  t.throws(() => tf.grad((x) => quantizedLinear(x, codes, scales))(tf.ones([1, 3])), {
    message: 'QuantizedLinear: weights of 8 bits have no gradient: convert without --quantize int8 to train',
  });
});
