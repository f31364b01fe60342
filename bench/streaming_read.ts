/**
 * Measures how fast an engine streams memory: the lower limit for a token of a language model is reading every weight once. Uses
 * a WebAssembly module with a single loop over the memory of tfjs's backend, where the weights are; it is assembled here because
 * users of the kernels do not need it.
 */
import type { Heap } from '../wasm/heap.js';
import { timeOf } from './timing.js';

/** Bytes per iteration: four vectors are added to four sums, so that no addition waits for the previous one. */
const ITERATION = 64;

// Opcodes of WebAssembly, those of vectors after the prefix 0xfd.
const [LOOP, END, BRANCH_IF, LOCAL_GET, LOCAL_SET, LOCAL_TEE] = [0x03, 0x0b, 0x0d, 0x20, 0x21, 0x22];
const [I32_CONST, I32_LESS, I32_ADD] = [0x41, 0x49, 0x6a];
const [V128_LOAD, F32X4_ADD, F32X4_FIRST_LANE] = [
  [0xfd, 0x00, 0x02],
  [0xfd, 0xe4, 0x01],
  [0xfd, 0x1f, 0x00],
];
const [I32, F32, V128, NOTHING] = [0x7f, 0x7d, 0x7b, 0x40];

/** `read(from, end)`: returns the sum of some lanes, so that no load can be optimised away. */
function moduleBytes(): Uint8Array<ArrayBuffer> {
  const [from, end, firstSum, sums] = [0, 1, 2, 4];
  const text = (value: string) => [value.length, ...new TextEncoder().encode(value)];
  const section = (id: number, content: number[]) => [id, content.length, ...content];
  const addUp = Array.from({ length: sums }, (_, i) => [
    ...[LOCAL_GET, firstSum + i, LOCAL_GET, from, ...V128_LOAD, 16 * i],
    ...[...F32X4_ADD, LOCAL_SET, firstSum + i],
  ]).flat();
  const body = [
    ...[1, sums, V128],
    ...[LOOP, NOTHING, ...addUp],
    ...[LOCAL_GET, from, I32_CONST, ITERATION | 0x80, 0, I32_ADD, LOCAL_TEE, from],
    ...[LOCAL_GET, end, I32_LESS, BRANCH_IF, 0, END],
    ...[LOCAL_GET, firstSum, LOCAL_GET, firstSum + 1, ...F32X4_ADD],
    ...[LOCAL_GET, firstSum + 2, ...F32X4_ADD, LOCAL_GET, firstSum + 3, ...F32X4_ADD],
    ...[...F32X4_FIRST_LANE, END],
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 2, I32, I32, 1, F32]),
    ...section(2, [1, ...text('env'), ...text('memory'), 2, 0, 0]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text('read'), 0, 0]),
    ...section(10, [1, body.length, ...body]),
  ]);
}

/**
 * A function that reads the first `bytes` of a heap once, in order, and returns the time in milliseconds.
 * @throws {RangeError} if the heap is smaller
 */
export function streamingRead({ memory }: Heap, bytes: number): () => number {
  const module = new WebAssembly.Module(moduleBytes());
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const read = exports.read as (from: number, end: number) => number;
  const end = Math.ceil(bytes / ITERATION) * ITERATION;
  if (end > memory.buffer.byteLength) {
    throw new RangeError(`${end} bytes are to be read, the memory has ${memory.buffer.byteLength}`);
  }
  return () => timeOf(() => read(0, end));
}
