/** Tests our modules in tfjs's memory: they overwrite nothing of tfjs's, copy nothing, and leak nothing. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { boruvkaMST, edgeDissimilarity, gelu, gridGraph, linear, treeScan } from '../plugin/index.js';
import { OPS } from '../plugin/ops/index.js';
import { hasOwnKernel } from '../plugin/ops/kernels.js';
import {
  newWasmBackend,
  onCpu,
  type TfjsModule,
  tfjsModule,
  watchAllocations,
} from '../testing/wasm_backend.js';
import { hostOf } from './host.js';
import { ready } from './index.js';

/** Runs every kind of kernel once, on a small problem with odd sizes. */
function runAll(): Float32Array {
  return tf.tidy(() => {
    const [height, width, channels] = [5, 7, 11];
    const x = tf.randomNormal([2, height * width, channels], 0, 1, 'float32', 1);
    const decay = tf.randomUniform(x.shape, 0, 1, 'float32', 2) as tf.Tensor;
    const weights = tf.randomNormal([channels, channels], 0, 1, 'float32', 3);
    const edges = gridGraph(height, width);
    const tree = boruvkaMST(edgeDissimilarity(x, edges), edges, { numVertices: height * width });
    const y = treeScan(linear(gelu(x), weights), decay, tree);
    return y.dataSync() as Float32Array;
  });
}

t.before(async () => {
  await tf.setBackend('wasm');
  await tf.ready();
});

t.test('registered before the backend is ready, the kernels are ours', async (t) => {
  // The others copy, look up, are calls of `Resample`, or compute a few numbers of boxes on the host.
  const others = OPS.filter((op) => !hasOwnKernel(op, 'wasm'));
  t.ok(
    others.every(({ compose, reads }) => compose || reads),
    `${others.map(({ name }) => name)}`,
  );
  t.ok(others.length <= OPS.length / 2, `${others.length} of ${OPS.length}`);
  await ready();
  await ready();
});

t.test('while a kernel runs, memory changes only in its outputs and in our own blocks', async (t) => {
  await newWasmBackend();
  const blocks = watchAllocations();
  const module = tfjsModule();
  const { exports } = hostOf(tf.backend());
  const ours = new Map(blocks); // the side module's data and stack: everything that we have allocated so far
  const heapStart = module._malloc(8);
  module._free(heapStart);
  const memory = () => Buffer.from(module.HEAPU8.buffer);
  let calls = 0;
  let staticChanges = 0;
  const strangers: string[] = [];
  for (const [name, native] of Object.entries(exports)) {
    if (typeof native !== 'function') continue;
    exports[name] = (...args: number[]) => {
      const before = Buffer.from(memory());
      const result = (native as (...args: number[]) => unknown)(...args);
      const after = memory();
      calls++;
      // tfjs's static data and stack lie below everything that malloc returns.
      const staticEnd = Math.min(...ours.keys(), ...blocks.keys());
      if (before.compare(after, 0, staticEnd, 0, staticEnd) !== 0) staticChanges++;
      for (const at of changedBytes(before, after)) {
        const writable = [...ours, ...blocks].some(
          ([address, bytes]) =>
            at >= address &&
            at < address + bytes &&
            (ours.has(address) || args.some((arg) => within(arg, address, bytes))),
        );
        if (!writable)
          strangers.push(
            `${name} changed byte ${at} ${JSON.stringify([...blocks].filter(([a, b]) => a <= at && a + b > at))} ${args}`,
          );
      }
      return result;
    };
  }
  const first = runAll();
  for (let i = 0; i < 20; i++) t.same(runAll(), first);
  t.ok(calls > 100, `${calls} calls were watched`);
  t.equal(staticChanges, 0, "tfjs's static data is as it was");
  t.same(strangers.slice(0, 5), []);
});

function within(argument: number, address: number, bytes: number): boolean {
  return argument >>> 0 >= address && argument >>> 0 < address + bytes;
}

/** Yields the addresses of all bytes that differ. Equal pages are skipped as a whole. */
function* changedBytes(before: Buffer, after: Buffer): Generator<number> {
  const PAGE = 1024;
  for (let page = 0; page < before.length; page += PAGE) {
    const end = Math.min(page + PAGE, before.length);
    if (before.compare(after, page, end, page, end) === 0) continue;
    for (let at = page; at < end; at++) if (before[at] !== after[at]) yield at;
  }
}

t.test('nothing is copied to JavaScript and back', async (t) => {
  await newWasmBackend();
  tf.tidy(() => {
    const edges = gridGraph(4, 4);
    const x = tf.randomNormal([1, 16, 6]);
    const backend = tf.backend();
    const tree = boruvkaMST(edgeDissimilarity(x, edges), edges, { numVertices: 16 });
    let reads = 0;
    const readSync = backend.readSync.bind(backend);
    backend.readSync = (dataId) => {
      reads++;
      return readSync(dataId);
    };
    treeScan(gelu(x), x, tree);
    t.equal(reads, 0);
  });
});

t.test('when the memory grows in between', async (t) => {
  await newWasmBackend();
  const before = runAll();
  const size = tfjsModule().HEAPU8.length;
  const large = tf.zeros([size / 4]);
  t.ok(tfjsModule().HEAPU8.length > size, 'it has grown');
  t.same(runAll(), before);
  large.dispose();
  t.same(runAll(), before);
});

t.test('above 2 GB', async (t) => {
  await newWasmBackend();
  const expected = await onCpu(runAll);
  const module = tfjsModule();
  const blocks = [1, 1, 1].map(() => module._malloc(2 ** 30) >>> 0); // never touched, so they cost no physical memory
  if (blocks.includes(0)) {
    t.comment('skipped: this engine gives no 3 GB of address space');
  } else {
    const x = tf.zeros([1]);
    const address = (tf.backend() as unknown as { getMemoryOffset(id: object): number }).getMemoryOffset(
      x.dataId,
    );
    x.dispose();
    await newHostAbove(t, module, blocks);
    const difference = Math.max(...runAll().map((y, i) => Math.abs(y - expected[i])));
    t.ok(difference < 1e-4, `difference ${difference}, tensors near ${address}`);
  }
  for (const block of blocks) if (block) module._free(block);
});

/** Ensures that small blocks, too, lie above 2 GB, by filling the memory below first. */
async function newHostAbove(t: Tap, module: TfjsModule, blocks: number[]): Promise<void> {
  for (let size = 2 ** 24; size >= 64; size /= 2) {
    for (;;) {
      const address = module._malloc(size) >>> 0;
      if (address > 2 ** 31) {
        module._free(address);
        break;
      }
      blocks.push(address);
    }
  }
  const probe = module._malloc(64) >>> 0;
  t.ok(probe > 2 ** 31, `small blocks lie at ${probe}`);
  module._free(probe);
}

type Tap = Pick<typeof t, 'ok'>;

t.test('1,000 runs leave no tensor and no byte', async (t) => {
  await newWasmBackend();
  const blocks = watchAllocations();
  const weights = tf.randomNormal([11, 13]);
  const run = () =>
    tf.tidy(() => {
      linear(tf.ones([5, 11]), weights).dataSync();
      runAll();
    });
  run();
  const [tensors, allocated, size] = [tf.memory().numTensors, blocks.size, tfjsModule().HEAPU8.length];
  for (let i = 0; i < 1000; i++) run();
  t.equal(tf.memory().numTensors, tensors);
  t.equal(blocks.size, allocated);
  t.equal(tfjsModule().HEAPU8.length, size);
  weights.dispose();
  t.equal(blocks.size, allocated - 2, 'the packed weights go with the weights');
});

t.test('a tensor that memory has no room for', async (t) => {
  await newWasmBackend();
  const expected = runAll();
  const { grow } = WebAssembly.Memory.prototype;
  WebAssembly.Memory.prototype.grow = () => {
    throw new RangeError('no more');
  };
  t.teardown(() => Object.assign(WebAssembly.Memory.prototype, { grow }));
  const [bytes, { numTensors }] = [2 ** 28, tf.memory()];
  const message = `tfjs-grootvl/wasm: out of memory (${bytes} bytes)`;
  t.throws(() => tf.tensor1d(new Float32Array(bytes / 4)), { message }, 'of tfjs');
  t.equal(tf.memory().numTensors, numTensors);
  t.same(runAll(), expected, 'the heap stays as it was');
});

t.test('a memory that cannot be reached: tensors are copied, with one warning', async (t) => {
  await newWasmBackend();
  const expected = runAll();
  const { wasm } = tf.backend() as unknown as { wasm: TfjsModule };
  const hidden = Object.create(tf.backend(), {
    wasm: { value: Object.create(wasm, { asm: { value: undefined }, wasmMemory: { value: undefined } }) },
  });
  const warnings: unknown[] = [];
  const { warn } = console;
  console.warn = (message) => warnings.push(message);
  const kernels = tf
    .getKernelsForBackend('wasm')
    .filter(({ kernelName }) => OPS.some(({ name }) => name === kernelName));
  for (const kernel of kernels) {
    tf.unregisterKernel(kernel.kernelName, 'wasm');
    tf.registerKernel({ ...kernel, kernelFunc: (args) => kernel.kernelFunc({ ...args, backend: hidden }) });
  }
  try {
    t.same(runAll(), expected);
    t.same(runAll(), expected);
    t.match(warnings, [/copied/]);
    t.equal(warnings.length, 1);
  } finally {
    console.warn = warn;
    for (const kernel of kernels) {
      tf.unregisterKernel(kernel.kernelName, 'wasm');
      tf.registerKernel(kernel);
    }
  }
});

t.test('the threaded build, in a shared memory', async (t) => {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared: true });
  let top = 1024;
  const allocate = (bytes: number) => {
    const address = top;
    top += Math.ceil(bytes / 16) * 16;
    return address;
  };
  const wasm = { wasmMemory: memory, _malloc: allocate, _free: () => {} };
  const backend = { wasm, dataIdMap: new Map(), disposeData: () => true } as unknown as tf.KernelBackend;
  const { heap, exports } = hostOf(backend);
  t.ok(heap.inPlace);
  const values = Float32Array.from([-3, -0.5, 0, 0.25, 2, 7, -1]);
  const [x, y] = [allocate(28), allocate(28)];
  new Float32Array(memory.buffer, x, 7).set(values);
  (exports.gelu_all as (x: number, y: number, size: number) => void)(x, y, 7);
  const result = Float32Array.from(new Float32Array(memory.buffer, y, 7));
  t.same(
    result,
    tf.tidy(() => gelu(tf.tensor1d(values)).dataSync()),
  );
  const tree = ['spanningTree', 'breadthFirstOrder'].map((name) => typeof exports[name]);
  t.same(tree, ['function', 'function']);
});
