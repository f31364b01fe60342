/**
 * Tests float32 products with relaxed SIMD: correct, the same on every path and number of threads, and not used if disabled.
 */
import { setFlagsFromString } from 'node:v8';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { runConformance } from '../conformance/index.js';
import { nodeLoaders } from '../conformance/runners/node_backends.js';
import { standardBackend } from '../conformance/runners/standard.js';
import { specCases } from '../conformance/spec_cases.js';
import { linear } from '../plugin/index.js';
import { Convolution } from '../plugin/ops/convolution.js';
import { runOp } from '../plugin/ops/kernels.js';
import { SPECS } from '../plugin/ops/specs.js';
import { sharedHeap } from '../testing/shared_heap.js';
import { newWasmBackend, watchAllocations } from '../testing/wasm_backend.js';
import type { WasmFunctions } from './functions.js';
import { ready, setThreads, usesRelaxedSimd } from './index.js';
import type { KernelModules } from './instantiate.js';
import { moduleNow } from './module_files.js';
import { bestRelaxed, fastest } from './relaxed_kernels.js';
import { PART_FLAG, partsOf, Threads } from './threads.js';

// Node 20 has relaxed SIMD behind a flag, and its baseline compiler has a bug there; later engines need neither flag.
const NODE_20 = process.versions.node.startsWith('20.');
if (NODE_20)
  for (const flag of ['--experimental-wasm-relaxed-simd', '--no-liftoff']) setFlagsFromString(flag);

const RELAXED_FLAG = 'GROOTVL_WASM_RELAXED_SIMD';

/** Starts a backend with or without relaxed SIMD. */
async function start(isRelaxed: boolean): Promise<void> {
  tf.env().set(RELAXED_FLAG, isRelaxed ? 1 : 0);
  await (tf.getBackend() === 'wasm' ? newWasmBackend() : tf.setBackend('wasm'));
  await ready();
}

const normal = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);

function bytesOf(tensor: tf.Tensor): Buffer {
  const { buffer, byteOffset, byteLength } = tensor.dataSync();
  return Buffer.from(buffer, byteOffset, byteLength);
}

for (const spec of SPECS.filter(({ sumsProducts }) => sumsProducts)) {
  t.test(`${spec.op.name}: within the bounds of its samples`, async (t) => {
    await start(true);
    const { cases } = await runConformance({
      backends: [standardBackend('wasm', nodeLoaders)],
      cases: specCases(spec).filter(({ outputGradients }) => !outputGradients),
    });
    t.ok(cases.length > 3);
    for (const { case: name, verdict, reason, device } of cases) {
      t.equal(verdict, 'pass', `${name} ${reason}`);
      t.match(device, /relaxed SIMD for float32/);
    }
  });
}

t.test(
  'the same bits for few, some and many rows, in one part and in many; others than without it',
  async (t) => {
    const run = async (isRelaxed: boolean) => {
      await start(isRelaxed);
      const [x, weights, bias] = [normal([261, 150], 1), normal([150, 93], 2), normal([93], 3)];
      const product = (first: number, rows: number) =>
        tf.tidy(() =>
          bytesOf(linear(tf.slice(x, [first, 0], [rows, -1]), weights, bias, { activation: 'gelu' })),
        );
      const whole = product(0, 261);
      for (const nanoseconds of [20_000, 1]) {
        tf.env().set(PART_FLAG, nanoseconds);
        for (const [first, rows] of [
          [0, 261],
          [7, 1],
          [3, 3], // read in place
          [6, 40], // packed once
        ]) {
          const expected = whole.subarray(4 * 93 * first, 4 * 93 * (first + rows));
          t.ok(
            product(first, rows).equals(expected),
            `${rows} rows from ${first}, parts of ${nanoseconds} ns`,
          );
        }
      }
      tf.env().set(PART_FLAG, 20_000);
      return whole;
    };
    t.notOk((await run(true)).equals(await run(false)));
  },
);

t.test('convolutions: the same bits in one part and in many, others than without it', async (t) => {
  for (const [channels, strides] of [
    [3, [2, 2]],
    [16, [1, 1]], // by Winograd's method
    [24, [2, 2]],
  ] as const) {
    const run = () =>
      tf.tidy(() => {
        const [x, filter] = [normal([2, 45, 47, channels], 1), normal([3, 3, channels, 20], 2)];
        return bytesOf(runOp(Convolution, { x, filter }, { strides, padding: [1, 1, 1, 1] })[0]);
      });
    await start(true);
    const whole = run();
    tf.env().set(PART_FLAG, 1);
    t.ok(run().equals(whole), `${channels} channels`);
    tf.env().set(PART_FLAG, 20_000);
    await start(false);
    t.notOk(run().equals(whole), `${channels} channels`);
  }
});

t.test('the same bits on one thread, two and three, in tiles of four rows and of six', async (t) => {
  const modules = {
    kernels: moduleNow('kernels.wasm', 'shared'),
    graph: moduleNow('boruvka.wasm', 'shared'),
    products: moduleNow('quantized.wasm', 'shared'),
  };
  const [rows, inputs, outputs] = [2000, 50, 40];
  const module = moduleNow('kernels_relaxed.wasm', 'shared');
  const product = async (relaxed: KernelModules['relaxed'], count: number) => {
    const chosen = { ...modules, relaxed };
    const { heap, exports } = sharedHeap(chosen);
    const [x, packed, y] = [rows * inputs, inputs * outputs, rows * outputs].map((size) =>
      heap.allocate(4 * size),
    );
    const { buffer } = heap.memory;
    new Float32Array(buffer, x, rows * inputs).forEach((_, i, values) => {
      values[i] = Math.sin(i);
    });
    new Float32Array(buffer, packed, inputs * outputs).forEach((_, i, values) => {
      values[i] = Math.cos(i);
    });
    await setThreads(count);
    const threads = new Threads(heap, exports, chosen);
    await threads.settled();
    t.equal(threads.size, count);
    threads.run('linear', partsOf(rows, 1e5, 4), (row, some) => [
      ...([x + 4 * row * inputs, packed, 0, 0, y + 4 * row * outputs, some, inputs, outputs] as const),
      ...([0, outputs / 8, 0] as const),
    ]);
    const result = Buffer.from(buffer.slice(y, y + 4 * rows * outputs));
    threads.end();
    await threads.settled();
    return result;
  };
  const expected = await product({ module, hasTallTiles: false }, 1);
  for (const count of [1, 2, 3]) {
    for (const hasTallTiles of [false, true]) {
      t.ok((await product({ module, hasTallTiles }, count)).equals(expected), `${count}, ${hasTallTiles}`);
    }
  }
  t.notOk((await product(undefined, 2)).equals(expected), 'others without it');
  await setThreads('auto');
});

t.test('it is left aside where it errs, where it is slower, and where the flag is 0', async (t) => {
  const heap = sharedHeap({
    kernels: moduleNow('kernels.wasm', 'shared'),
    graph: moduleNow('boruvka.wasm', 'shared'),
    products: moduleNow('quantized.wasm', 'shared'),
  });
  const functions = heap.exports as unknown as WasmFunctions;
  const before = heap.blocks.size;
  t.equal(bestRelaxed(functions, [], heap.heap), undefined);
  t.equal(bestRelaxed(functions, [functions, functions], heap.heap) !== undefined, true, 'a tie');
  const errs: typeof functions.linear = (...args) => {
    functions.linear(...args);
    const [, , , , y] = args;
    new Float32Array(heap.heap.memory.buffer, y, 1)[0] += 0.01;
  };
  t.equal(bestRelaxed(functions, [functions, { linear: errs }], heap.heap), undefined);
  t.equal(heap.blocks.size, before, 'memory is freed');

  const { now } = performance;
  t.teardown(() => Object.assign(performance, { now }));
  let ms = 0;
  performance.now = () => ms;
  const takes = (duration: number) => () => {
    ms += duration;
  };
  t.equal(fastest([takes(0.1)], takes(0.2)), 0);
  t.equal(fastest([takes(0.15), takes(0.1)], takes(0.2)), 1);
  t.equal(fastest([takes(0.2), takes(0.3)], takes(0.1)), undefined);
  t.equal(fastest([takes(0.105)], takes(0.1)), 0, 'a tie');
  t.equal(fastest([takes(0)], takes(0)), 0, 'a clock that stands still');
  // Engines compile one of them later than the other.
  let calls = 0;
  const late = () => {
    ms += calls++ < 12 ? 0.5 : 0.05;
  };
  t.equal(fastest([late], takes(0.1)), 0);

  for (const isRelaxed of [false, true]) {
    await start(isRelaxed);
    t.same(usesRelaxedSimd(tf.backend()), { float32: isRelaxed, int8: isRelaxed });
  }
});

t.test('what is measured leaves nothing behind', async (t) => {
  const blocksOf = async (isRelaxed: boolean) => {
    tf.env().set(RELAXED_FLAG, isRelaxed ? 1 : 0);
    await newWasmBackend();
    const blocks = watchAllocations();
    await ready();
    return [...blocks.values()];
  };
  t.same(await blocksOf(true), await blocksOf(false));
});
