/** Tests the checks of races and of bounds, with kernels of kernels/probe.cu that race on purpose and others that do not. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Device, Driver } from '../driver.js';

const path = fileURLToPath(new URL('../../build/grootvl_cuda_races.node', import.meta.url));
const options = existsSync(path)
  ? {}
  : { skip: 'grootvl_cuda_races.node is not built: node scripts/build_cuda.mjs --races makes it' };

function openDevice(): Device {
  const driver = createRequire(import.meta.url)(path) as Driver;
  return driver.open(0);
}

const BLOCKS = 3;
const THREADS = 64;

/** Starts a kernel of probe.cu on memory with a few words more than threads. */
function launch(device: Device, name: string, race?: number): void {
  const words = BLOCKS * THREADS + 2;
  const out = device.allocate(4 * words);
  device.fill(out, 0, words);
  const view = new DataView(device.argumentBytes);
  view.setBigUint64(0, BigInt(out), true);
  if (race !== undefined) view.setInt32(8, race, true);
  const argumentSize = race === undefined ? 8 : 12;
  try {
    device.launch(device.findKernel(name), BLOCKS, 1, 1, THREADS, 1, 4 * THREADS, argumentSize);
  } finally {
    device.free(out);
  }
}

/** By the number passed to probe_races: the memory, the later access, the earlier one. */
const RACES: readonly (readonly [number, string, string, string])[] = [
  [1, 'shared', 'a write', 'a read'],
  [2, 'shared', 'a write', 'a read'],
  [3, 'shared', 'a write', 'a write'],
  [4, 'global', 'a write', 'a write'],
  [5, 'global', 'a write', 'a read'],
  [6, 'global', 'a write', 'a volatile or atomic read'],
  [7, 'shared', 'a write', 'a write'],
  [8, 'global', 'a volatile or atomic write', 'a write'],
];

t.test('races are found, each by kernel, memory and lines', options, async (t) => {
  const device = openDevice();
  for (const [race, memory, access, other] of RACES) {
    const message = new RegExp(
      `^kernel probe_races, block \\(\\d, 0, 0\\): race in ${memory} memory: ` +
        `${access} by thread \\d+ at (?:probe\\.cu:\\d+|offset 0x).* after ${other} by ` +
        `(?:thread \\d+|another thread|a thread of another block) at (?:probe\\.cu:\\d+|offset 0x)`,
    );
    t.throws(() => launch(device, 'probe_races', race), { message }, `race ${race}`);
    // A launch that raced does not affect the next.
    t.doesNotThrow(() => launch(device, 'probe_races', 0), `none after race ${race}`);
  }
  device.synchronize();
  device.close();
});

t.test('accesses outside of allocations are found', options, async (t) => {
  const device = openDevice();
  t.equal(device.description.checksAccesses, true);
  const write = (words: number) => {
    const out = device.allocate(4 * words);
    new DataView(device.argumentBytes).setBigUint64(0, BigInt(out), true);
    try {
      device.launch(device.findKernel('probe_positions'), 1, 1, 1, THREADS, 1, 0, 8);
    } finally {
      device.free(out);
    }
  };
  t.doesNotThrow(() => write(THREADS));
  t.throws(() => write(THREADS - 1), {
    message:
      /^kernel probe_positions, .*: a write of 4 bytes by thread 63 at .* that do not lie in one allocation/,
  });
  t.doesNotThrow(() => write(THREADS));
  device.close();
});

t.test('no races where barriers, atomics, volatile or blocks keep threads apart', options, async (t) => {
  const device = openDevice();
  t.same(
    [device.description.kind, device.description.name],
    ['host emulation', 'host emulation, races checked'],
  );
  for (let times = 0; times < 3; times++) launch(device, 'probe_no_races');
  device.synchronize();
  device.close();
});
