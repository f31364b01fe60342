// Random damage and random pickles: readers terminate, throw only CheckpointError, and use little memory. FUZZ_SEED=<number>
// repeats or varies a run, FUZZ_FACTOR=<number> lengthens it.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { bytesSource } from '../byte_source.js';
import { openCheckpoint } from './checkpoint.js';
import { CheckpointError } from './errors.js';
import { readPickle } from './pickle.js';
import { OP } from './pickle_opcodes.js';
import { entriesOf, InertObject, PickleTuple, type PickleValue } from './pickle_values.js';
import { StoredTensor, TensorStorage } from './tensor.js';
import { fixtureBytes } from './testing/fixtures.js';
import { memorySink } from './testing/torch_writer.js';
import { ZipWriter } from './testing/zip_writer.js';
import { openTorchZip } from './zip.js';

const SEED = Number(process.env.FUZZ_SEED ?? 20_240_607);
const FACTOR = Number(process.env.FUZZ_FACTOR ?? (process.env.GROOTVL_LONG ? 1 : 0.5));
/** Megabytes of the whole process, including test harness and compiler. */
const MAX_RSS_MB = 512;

// The harness leaves much more garbage than the readers; collecting it now and then makes what they hold visible.
setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');
const RUNS_PER_COLLECTION = 50;

let runs = 0;
let peak = 0;
function sampleMemory(): void {
  peak = Math.max(peak, process.memoryUsage.rss() / 2 ** 20);
}

/** Whether the reading succeeded, or failed in the one allowed way. */
async function survives(read: () => unknown): Promise<boolean> {
  if (runs++ % RUNS_PER_COLLECTION === 0) collectGarbage();
  try {
    await read();
  } catch (error) {
    sampleMemory();
    if (!(error instanceof CheckpointError)) throw error;
    return /^[\x20-\x7e]+$/.test(error.message);
  }
  sampleMemory();
  return true;
}

/** All tensors in a value, however nested; the recursion terminates because nesting is bounded. */
function* tensorsIn(value: PickleValue): Generator<StoredTensor> {
  if (value instanceof StoredTensor) yield value;
  else if (Array.isArray(value)) for (const item of value) yield* tensorsIn(item);
  else if (value instanceof PickleTuple) for (const item of value.items) yield* tensorsIn(item);
  else
    for (const item of entriesOf(value)?.values() ?? [])
      if (!(item instanceof InertObject)) yield* tensorsIn(item);
}

async function openAndRead(bytes: Uint8Array): Promise<void> {
  const { root } = await openCheckpoint(bytesSource(bytes, 'fuzz'));
  let left = 10;
  for (const tensor of tensorsIn(root)) {
    if (left-- === 0) return;
    await tensor.readFloat32();
  }
}

async function check<T>(
  t: Test,
  runs: number,
  inputs: fc.Arbitrary<T>,
  read: (input: T) => unknown,
): Promise<void> {
  const property = fc.asyncProperty(inputs, (input) => survives(() => read(input)));
  const numRuns = Math.ceil(runs * FACTOR);
  const result = await fc.check(property, { seed: SEED, numRuns, endOnFailure: true });
  t.comment(`seed ${SEED}, ${result.numRuns} runs, peak ${peak.toFixed(0)} MB`);
  const report = result.failed ? fc.defaultReportMessage(result)?.slice(0, 4000) : undefined;
  t.equal(report, undefined, 'only CheckpointErrors');
}

/** Changes to a file: bits, bytes, truncation, and pieces copied over others. Positions are fractions of the length. */
const damage = fc.array(
  fc.record({
    kind: fc.constantFrom('bit', 'byte', 'cut', 'copy', 'insert', 'remove'),
    at: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.001, 0.999, 1)),
    from: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.integer({ min: 1, max: 200 }),
    value: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...Object.values(OP))),
  }),
  { minLength: 1, maxLength: 5 },
);
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damaged(original: Uint8Array, changes: Damage): Uint8Array {
  let bytes = original.slice();
  for (const { kind, at, from, length, value } of changes) {
    if (bytes.length === 0) break;
    const index = Math.min(bytes.length - 1, Math.floor(at * bytes.length));
    const source = Math.floor(from * bytes.length);
    const piece = bytes.slice(source, source + length);
    if (kind === 'bit') bytes[index] ^= 1 << (value & 7);
    else if (kind === 'byte') bytes[index] = value;
    else if (kind === 'cut') bytes = bytes.slice(0, index);
    else if (kind === 'copy') bytes.set(piece.subarray(0, bytes.length - index), index);
    else {
      const rest = kind === 'insert' ? index : Math.min(bytes.length, index + length);
      const middle = kind === 'insert' ? piece : new Uint8Array(0);
      const changed = new Uint8Array(index + middle.length + bytes.length - rest);
      changed.set(bytes.subarray(0, index));
      changed.set(middle, index);
      changed.set(bytes.subarray(rest), index + middle.length);
      bytes = changed;
    }
  }
  return bytes;
}

t.test('damaged files', async (t) => {
  for (const [name, runs] of [
    ['grootv/grootv_tiny_bf16.pth', 250],
    ['grootv/grootv_tiny_legacy.pth', 250],
    ['grootl/grootl_tiny_lora/adapter_model.bin', 400],
    ['grootl/grootl_tiny_lora/adapter_model.safetensors', 400],
  ] as const) {
    const bytes = fixtureBytes(name);
    if (bytes === undefined) t.pass(name, { skip: 'the fixture is not in this checkout' });
    else await t.test(name, (t) => check(t, runs, damage, (changes) => openAndRead(damaged(bytes, changes))));
  }
});

t.test('heads of files, damaged where it hurts', async (t) => {
  for (const [name, head, runs] of [
    ['grootv/grootv_tiny_legacy.pth', 21343, 1500],
    ['grootl/grootl_tiny_lora/adapter_model.safetensors', 3000, 1500],
  ] as const) {
    const bytes = fixtureBytes(name);
    if (bytes === undefined) {
      t.pass(name, { skip: 'the fixture is not in this checkout' });
      continue;
    }
    // Only the start and a little data: a wrong length is found at once, and there are many runs.
    const start = bytes.slice(0, head + 1000);
    await t.test(name, (t) => check(t, runs, damage, (changes) => openAndRead(damaged(start, changes))));
  }
});

t.test('damaged pickles in sound zips', async (t) => {
  for (const [name, runs] of [
    ['grootv/grootv_tiny_module.pth', 1200],
    ['grootv/grootv_nano_mnist.pth', 250],
  ] as const) {
    const bytes = fixtureBytes(name);
    if (bytes === undefined) {
      t.pass(name, { skip: 'the fixture is not in this checkout' });
      continue;
    }
    const { entries } = await openTorchZip(bytesSource(bytes));
    const contents = [...entries].map(([entry, { dataOffset, size }]) => ({
      entry,
      data: bytes.slice(dataOffset, dataOffset + Math.min(size, 4096)),
    }));
    const pickle = contents.find(({ entry }) => entry === 'data.pkl');
    const { size = 0, dataOffset = 0 } = entries.get('data.pkl') ?? {};
    const original = bytes.slice(dataOffset, dataOffset + size);
    t.ok(pickle);
    await t.test(name, (t) =>
      check(t, runs, damage, async (changes) => {
        const { sink, bytes: written } = memorySink();
        const zip = new ZipWriter(sink);
        await zip.add('a/data.pkl', damaged(original, changes));
        for (const { entry, data } of contents.slice(0, 40))
          if (entry !== 'data.pkl') await zip.add(`a/${entry}`, data);
        await zip.finish();
        await openAndRead(written());
      }),
    );
  }
});

/** One opcode with an argument that is often sensible. */
const text = (words: readonly string[]): fc.Arbitrary<number[]> =>
  fc.constantFrom(...words).map((word) => [...new TextEncoder().encode(word)]);
const little = (value: number): number[] => [
  value & 255,
  (value >> 8) & 255,
  (value >> 16) & 255,
  (value >>> 24) & 255,
];
const counted = (words: readonly string[]): fc.Arbitrary<number[]> =>
  text(words).map((bytes) => [OP.BINUNICODE, ...little(bytes.length), ...bytes]);
const instruction: fc.Arbitrary<number[]> = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...Object.values(OP)).map((opcode) => [opcode]) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 5 }).map((slot) => [OP.BINPUT, slot]) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 5 }).map((slot) => [OP.BINGET, slot]) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 255 }).map((value) => [OP.BININT1, value]) },
  { weight: 1, arbitrary: fc.integer().map((value) => [OP.BININT, ...little(value)]) },
  { weight: 2, arbitrary: counted(['storage', '0', 'cpu', '__proto__', '']) },
  {
    weight: 4,
    arbitrary: text([
      'collections\nOrderedDict\n',
      'torch._utils\n_rebuild_tensor_v2\n',
      'torch._utils\n_rebuild_parameter\n',
      'torch._tensor\n_rebuild_from_type_v2\n',
      'torch\nFloatStorage\n',
      'torch\nSize\n',
      'builtins\nset\n',
      'builtins\ndict\n',
      'builtins\nlist\n',
      'yacs.config\nCfgNode\n',
      'os\nsystem\n',
    ]).map((name) => [OP.GLOBAL, ...name]),
  },
  {
    weight: 4,
    // A whole tensor, so that streams reach the code after it.
    arbitrary: fc
      .array(fc.integer({ min: 0, max: 9 }), { minLength: 3, maxLength: 3 })
      .map(([offset, size, stride]) => [
        ...[OP.GLOBAL, ...new TextEncoder().encode('torch._utils\n_rebuild_tensor_v2\n'), OP.MARK, OP.MARK],
        ...[OP.BINUNICODE, 7, 0, 0, 0, ...new TextEncoder().encode('storage')],
        ...[
          OP.GLOBAL,
          ...new TextEncoder().encode('torch\nFloatStorage\n'),
          OP.BININT1,
          0,
          OP.NONE,
          OP.BININT1,
          16,
        ],
        ...[
          OP.TUPLE,
          OP.BINPERSID,
          OP.BININT1,
          offset,
          OP.BININT1,
          size,
          OP.TUPLE1,
          OP.BININT1,
          stride,
          OP.TUPLE1,
        ],
        ...[OP.NEWFALSE, OP.NONE, OP.TUPLE, OP.REDUCE],
      ]),
  },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }).map((byte) => [byte]) },
);

t.test('generated pickles', async (t) => {
  const source = bytesSource(new Uint8Array(1 << 16));
  const streams = fc.array(instruction, { maxLength: 60 });
  await check(t, 8000, streams, (instructions) =>
    readPickle(Uint8Array.from([OP.PROTO, 2, ...instructions.flat(), OP.STOP]), {
      fileOffset: 0,
      storage: ({ key, dtype, elements }) =>
        new TensorStorage(source, key, dtype, Math.min(elements, 1024), 0),
    }),
  );
});

t.test('memory', (t) => {
  t.ok(peak < MAX_RSS_MB, `peak ${peak.toFixed(0)} MB`);
  t.end();
});
