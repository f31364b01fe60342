/**
 * Tests the driver interface with the kernels of kernels/probe.cu: on the emulation, and with GROOTVL_CUDA=device on a GPU
 * too.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import type { Device, Driver } from '../driver.js';
import { testDriver } from './testing/probe_checks.js';

const require = createRequire(import.meta.url);

/** @returns null if the addon is not built */
function load(name: string): Driver | null {
  const path = fileURLToPath(new URL(`../../build/${name}.node`, import.meta.url));
  return existsSync(path) ? (require(path) as Driver) : null;
}

/** Opens the emulation with environment variables, which it reads on opening. */
function openEmulation(variables: Record<string, string> = {}): Device {
  const driver = load('grootvl_cuda_emulated');
  if (!driver) throw new Error('grootvl_cuda_emulated.node is not built: run node scripts/build_cuda.mjs');
  const before = { ...process.env };
  Object.assign(process.env, variables);
  try {
    return driver.open(0);
  } finally {
    for (const name of Object.keys(variables)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}

/** Packs the parameters of probe_mistakes and starts it. */
function makeMistake(device: Device, mistake: number, sharedBytes = 0): void {
  const address = device.allocate(64);
  const view = new DataView(device.argumentBytes);
  view.setBigUint64(0, BigInt(address), true);
  view.setInt32(8, 16, true);
  view.setInt32(12, mistake, true);
  device.launch(device.findKernel('probe_mistakes'), 1, 1, 1, 64, 1, sharedBytes, 16);
}

for (const order of ['forward', 'backward', 'shuffled:5']) {
  t.test(`emulation, threads ${order}`, async (t) => {
    const device = openEmulation({ GROOTVL_EMULATION_ORDER: order });
    await testDriver(t, device);
    device.close();
  });
}

t.test('GPU', async (t) => {
  if (process.env.GROOTVL_CUDA !== 'device') {
    t.pass('the same on a GPU', { skip: 'GROOTVL_CUDA=device runs it' });
    return;
  }
  const driver = load('grootvl_cuda');
  if (!driver) throw new Error('grootvl_cuda.node is not built: run node scripts/build_cuda.mjs');
  const device = driver.open(0);
  t.equal(device.description.kind, 'cuda');
  await testDriver(t, device);
  device.close();
});

t.test('threads of Node, one after the other and at once', async (t) => {
  const addon = process.env.GROOTVL_CUDA === 'device' ? 'grootvl_cuda' : 'grootvl_cuda_emulated';
  const path = fileURLToPath(new URL(`../../build/${addon}.node`, import.meta.url));
  /** Opens a device in a thread, which reads back what it wrote and is ended by `end`. */
  const run = async (end: string): Promise<number> => {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
      const device = require(${JSON.stringify(path)}).open(0);
      const address = device.allocate(4e6);
      device.fill(address, 7, 1e6);
      const values = new Int32Array(1e6);
      const pending = device.download(address, values);
      ${end}`,
      { eval: true },
    );
    const [message] = await once(worker, 'message');
    await worker.terminate();
    return message;
  };
  const whole = 'pending.then(() => parentPort.postMessage(values[999_999]));';
  t.equal(await run(whole), 7);
  t.equal(await run('parentPort.postMessage(0);'), 0, 'ended with a read under way and an open device');
  t.same(await Promise.all([run(whole), run(whole), run(whole)]), [7, 7, 7]);
});

t.test('the emulation finds threads that miss a barrier', async (t) => {
  const device = openEmulation();
  makeMistake(device, 0, 4);
  device.synchronize();
  t.throws(
    () => makeMistake(device, 1),
    /probe_mistakes, block \(0, 0, 0\).* 60 wait at __syncthreads, 4 have ended/,
  );
  t.throws(
    () => makeMistake(device, 2),
    /62 wait at __syncthreads, 2 wait at __syncthreads_or, 0 have ended/,
  );
  t.throws(() => makeMistake(device, 3), /54 wait at __syncthreads, 10 wait at __syncwarp, 0 have ended/);
  // Kernels still run.
  makeMistake(device, 0);
  device.synchronize();
  device.close();
});

t.test('the emulation finds writes out of bounds', async (t) => {
  const device = openEmulation();
  t.throws(
    () => makeMistake(device, 5, 0),
    /probe_mistakes.* wrote beyond its 0 bytes of dynamic shared memory/,
  );
  makeMistake(device, 5, 4);
  device.synchronize();
  makeMistake(device, 4);
  t.throws(() => device.synchronize(), /before or behind an allocation of 64 bytes/);
  t.throws(() => device.downloadSync(device.allocate(4), new Int32Array(1)), /an allocation of 64 bytes/);
  device.close();
});

t.test('the emulation gives garbage, never zeros', async (t) => {
  const device = openEmulation();
  const zeros = device.allocate(4);
  const fresh = new Int32Array(1);
  device.downloadSync(zeros, fresh);
  t.not(fresh[0], 0);
  device.fill(zeros, 0, 1);
  const view = new DataView(device.argumentBytes);
  view.setBigUint64(0, BigInt(zeros), true);
  view.setInt32(8, 100, true);
  // Dynamic shared memory is filled before each block; fixed shared memory before each launch.
  const kernel = device.findKernel('probe_shared_memory');
  device.launch(kernel, 2, 1, 1, 32, 1, 400, 12);
  device.downloadSync(zeros, fresh);
  t.equal(fresh[0], 32, 'the second block finds what the first one left in fixed shared memory');
  device.fill(zeros, 0, 1);
  device.launch(kernel, 1, 1, 1, 64, 1, 400, 12);
  device.downloadSync(zeros, fresh);
  t.equal(fresh[0], 0);
  device.close();
});

t.test('the emulation runs out of memory when told to', async (t) => {
  const device = openEmulation({ GROOTVL_EMULATION_BYTES: '1000' });
  t.equal(device.description.totalBytes, 1000);
  const address = device.allocate(900);
  t.not(address, 0);
  t.equal(device.freeBytes(), 100);
  t.equal(device.allocate(101), 0);
  device.free(address);
  t.not(device.allocate(1000), 0);
  device.close();
  t.throws(() => openEmulation({ GROOTVL_EMULATION_BYTES: 'much' }), /GROOTVL_EMULATION_BYTES is much/);
  t.throws(
    () => openEmulation({ GROOTVL_EMULATION_ORDER: 'sideways' }),
    /GROOTVL_EMULATION_ORDER is sideways/,
  );
});

t.test('the emulation has one device and no matrix library', async (t) => {
  t.throws(() => load('grootvl_cuda_emulated')?.open(1), { code: 'NO_DEVICE' });
  const device = openEmulation();
  t.equal(device.description.kind, 'host emulation');
  t.equal(device.hasMatrixLibrary, false);
  t.throws(
    () => device.upload(device.allocate(4), new Int32Array(2)),
    /upload: 8 bytes that do not lie in one allocation/,
  );
  device.close();
});

t.test('without a driver the addon for GPUs loads, and says what is missing', async (t) => {
  const driver = load('grootvl_cuda');
  if (!driver) {
    t.pass('no driver', { skip: 'grootvl_cuda.node is not built: no CUDA toolkit' });
    return;
  }
  try {
    driver.open(0).close();
    t.pass('no driver', { skip: 'this machine has a GPU' });
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    if (code === 'NO_DRIVER') t.match(message, /^libcuda\.so\.1, the NVIDIA driver, could not be opened: /);
    else t.match(code, /^(OLD_DRIVER|NO_DEVICE|OLD_DEVICE|DRIVER_FAILED)$/);
  }
});
