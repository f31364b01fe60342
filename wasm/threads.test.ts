/** Tests threads on a shared memory of our own in Node; browser_threads.test.ts tests tfjs's memory in a page. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { type SharedHeap, sharedHeap } from '../testing/shared_heap.js';
import { moduleNow } from './module_files.js';
import { ThreadPool } from './thread_pool.js';
import { type NativeFunction, ThreadQueue } from './thread_queue.js';
import { getThreads, itemsOf, PART_FLAG, partsOf, setThreads, Threads } from './threads.js';

const modules = {
  kernels: moduleNow('kernels.wasm', 'shared'),
  graph: moduleNow('boruvka.wasm', 'shared'),
  products: moduleNow('quantized.wasm', 'shared'),
};

const SIZE = 10_007;
const parts = partsOf(SIZE, 10);

/** Applies the activation to all numbers, in parts. */
function gelu({ heap }: SharedHeap, run: Threads['run']): Uint8Array {
  const [x, y] = [heap.allocate(4 * SIZE), heap.allocate(4 * SIZE)];
  const { buffer } = heap.memory;
  new Float32Array(buffer, x, SIZE).set(Float32Array.from({ length: SIZE }, (_, i) => Math.sin(i) * 4));
  run('gelu_all', parts, (first, count) => [x + 4 * first, y + 4 * first, count]);
  const result = new Uint8Array(buffer.slice(y, y + 4 * SIZE));
  heap.free(x);
  heap.free(y);
  return result;
}

t.test('parts depend on the work alone', async (t) => {
  t.same(partsOf(10, 1), { total: 10, size: 10, count: 1, slots: 1 }, 'little work is one part');
  t.same(partsOf(1000, 1e6), { total: 1000, size: 16, count: 63, slots: 63 }, 'much work at most 64');
  t.equal(partsOf(1e6, 0).count, 1, 'what is not split');
  t.equal(partsOf(1001, 5000, 4).size % 4, 0);
  t.same(partsOf(0, 1e6), { total: 0, size: 1, count: 0, slots: 0 }, 'no work none');
  t.ok(parts.count > 3);
  t.same(
    itemsOf(20, 1e6),
    { total: 20, size: 1, count: 20, slots: 8, isApart: true },
    'images, of which scratch memory is large',
  );
  t.equal(itemsOf(20, 1).slots, 1, 'little work is done in turn');
});

t.test('any number of threads gives the same bits, and leaves nothing behind', async (t) => {
  const shared = sharedHeap(modules);
  const before = shared.blocks.size;
  await setThreads(1);
  const threads = new Threads(shared.heap, shared.exports, modules);
  await threads.settled();
  t.same(getThreads(), { count: 1, reason: 'setThreads(1)' });
  const expected = gelu(shared, threads.run.bind(threads));
  for (const count of [2, 3]) {
    await setThreads(count);
    t.same(getThreads(), { count });
    for (let i = 0; i < 300; i++) {
      if (Buffer.compare(gelu(shared, threads.run.bind(threads)), expected) !== 0)
        t.fail(`${count}, call ${i}`);
    }
  }
  await setThreads(1);
  t.equal(shared.blocks.size, before, 'what the threads had is freed');
  await setThreads(2);
  threads.end();
  await threads.settled();
  t.equal(shared.blocks.size, before, 'also when their backend goes');
  t.match(getThreads(), { count: 1, reason: /has not started/ });
});

t.test(
  'one thread does all parts in one call, unless each is a call of its own or parts are small',
  async (t) => {
    const shared = sharedHeap(modules);
    await setThreads(1);
    const calls: number[][] = [];
    const exports = { ...shared.exports, noted: (...numbers: number[]) => void calls.push(numbers) };
    const threads = new Threads(shared.heap, exports, modules);
    await threads.settled();
    const callsOf = (given: Parameters<Threads['run']>[1]) => {
      calls.length = 0;
      threads.run('noted', given, (first, count, slot) => [first, count, slot]);
      return calls.slice();
    };
    t.same(callsOf(partsOf(1000, 1e6)), [[0, 1000, 0]]);
    t.same(callsOf(partsOf(0, 1e6)), [], 'no work');
    t.same(
      callsOf(itemsOf(3, 1e6)).map(([first, count]) => [first, count]),
      [0, 1, 2].map((first) => [first, 1]),
    );
    tf.env().set(PART_FLAG, 1);
    t.equal(callsOf(partsOf(1000, 1e6)).length, 63);
    tf.env().set(PART_FLAG, 20_000);
    threads.end();
    await threads.settled();
  },
);

t.test('what cannot be set', async (t) => {
  for (const count of [0, 1.5, 65, Number.NaN, '2', undefined]) {
    await t.rejects(setThreads(count as number), {
      message: `setThreads: got ${count}, expected 1 to 64 or 'auto'`,
    });
  }
});

t.test('memory that is not shared is the reason for one thread, whatever is asked for', async (t) => {
  const { heap, exports } = sharedHeap(modules);
  const own = new WebAssembly.Memory({ initial: 1 });
  const threads = new Threads({ ...heap, memory: own } as typeof heap, exports, modules);
  for (const count of ['auto', 2] as const) {
    await setThreads(count);
    t.same(
      getThreads(),
      { count: 1, reason: "in Node tfjs's memory is not shared with threads" },
      `${count}`,
    );
  }
  await setThreads(1);
  t.same(getThreads(), { count: 1, reason: 'setThreads(1)' });
  threads.end();
  await threads.settled();
});

t.test('a script that cannot be loaded is an error, and one thread is left', async (t) => {
  const shared = sharedHeap(modules);
  const before = shared.blocks.size;
  await setThreads(1);
  const threads = new Threads(shared.heap, shared.exports, modules);
  await t.rejects(setThreads(3, { script: '/nowhere/thread.js' }), { message: /did not start: .*nowhere/ });
  t.match(getThreads(), { count: 1, reason: /nowhere/ });
  gelu(shared, threads.run.bind(threads));
  t.equal(shared.blocks.size, before);
  threads.end();
  await threads.settled();
});

t.test('an error in any part is an error of the call, and the next call works', async (t) => {
  const shared = sharedHeap(modules);
  const pool = await ThreadPool.start({ ...shared, modules, threads: 1 });
  const beyond = 2 ** 31; // of the memory
  for (let bad = 0; bad < 8; bad++) {
    const run = () =>
      pool.run('gelu_all', 8, (part) => (part === bad ? [beyond, beyond, 8] : [1024, 1024, 0]));
    t.throws(run, { message: /tfjs-grootvl\/wasm: gelu_all: .*out of bounds/ }, `part ${bad}`);
  }
  pool.run('gelu_all', 8, () => [1024, 1024, 0]);
  await pool.end();
});

t.test('a thread that ends in the middle of a part does not hang the caller', async (t) => {
  const shared = sharedHeap(modules);
  const pool = await ThreadPool.start({ ...shared, modules, threads: 1, limit: 300 });
  // A part is taken and never finished.
  const { takeParts } = ThreadQueue.prototype;
  t.teardown(() => Object.assign(ThreadQueue.prototype, { takeParts }));
  ThreadQueue.prototype.takeParts = function (functions: readonly NativeFunction[]) {
    takeParts.call(this, functions);
    const { words } = this as unknown as { readonly words: Int32Array };
    Atomics.add(words, 1, 1);
  };
  const message = /a thread has not ended its part of gelu_all within 0.3 s/;
  t.throws(() => pool.run('gelu_all', 4, () => [1024, 1024, 0]), { message });
  await pool.end();
});

t.test('threads that are gone: the caller does all', async () => {
  const shared = sharedHeap(modules);
  const pool = await ThreadPool.start({ ...shared, modules, threads: 2 });
  const { members } = pool as unknown as {
    readonly members: readonly { readonly thread: { terminate(): void } }[];
  };
  for (const { thread } of members) thread.terminate();
  for (let i = 0; i < 100; i++) pool.run('gelu_all', 8, () => [1024, 1024, 0]);
  await pool.end();
});

t.test('threads that are told to end while a job is offered have done their parts', async (t) => {
  const shared = sharedHeap(modules);
  for (let i = 0; i < 5; i++) {
    const pool = await ThreadPool.start({ ...shared, modules, threads: 2 });
    gelu(shared, (name, { total, size, count }, argumentsOf) =>
      pool.run(name, count, (part) => argumentsOf(part * size, Math.min(size, total - part * size), part)),
    );
    await pool.end();
  }
  t.pass();
});
