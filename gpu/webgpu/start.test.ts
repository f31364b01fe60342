/** Tests starting, failing and restarting, in Node: errors are typed, and stale values are never read. */
import { register } from 'node:module';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import {
  adapterDescription,
  ready,
  startWebgpu,
  WebgpuDeviceLostError,
  WebgpuError,
  WebgpuOutOfMemoryError,
  WebgpuUnavailableError,
} from './index.js';
import { registerWebgpu } from './start.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';

// The package is missing at first, and is then found.
const hook = `let missing = true; export async function resolve(name, context, next) {
  if (name !== 'webgpu' || !missing) return next(name, context);
  missing = false;
  throw Object.assign(new Error("Cannot find package 'webgpu'"), { code: 'ERR_MODULE_NOT_FOUND' });
}`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

const unavailable = (code: string, message: RegExp) => ({ name: 'WebgpuUnavailableError', code, message });

await t.test('without the package webgpu', async (t) => {
  await t.rejects(ready(), unavailable('NOT_INSTALLED', /^webgpu: .*npm install webgpu@\^0\.6\.2$/));
});

await t.test('without a driver', async (t) => {
  const { VK_DRIVER_FILES } = process.env;
  process.env.VK_DRIVER_FILES = '/nowhere.json';
  const remedy = process.platform === 'linux' ? /apt-get install libvulkan1 mesa-vulkan-drivers/ : /driver/;
  await t.rejects(ready(), unavailable('NO_ADAPTER', remedy));
  const error = await startWebgpu().catch((error) => error);
  t.ok(error instanceof WebgpuUnavailableError && error instanceof WebgpuError);
  t.throws(adapterDescription, /no backend runs/);
  if (VK_DRIVER_FILES === undefined) delete process.env.VK_DRIVER_FILES;
  else process.env.VK_DRIVER_FILES = VK_DRIVER_FILES;
});

await t.test('in a page without navigator.gpu', async (t) => {
  const scope = globalThis as Record<string, unknown>;
  for (const [isSecureContext, message] of [
    [false, /on secure origins alone .* this one is http:\/\/there/],
    [true, /this browser has no WebGPU/],
  ] as const) {
    Object.assign(scope, { document: {}, isSecureContext, location: { origin: 'http://there' } });
    await t.rejects(ready(), unavailable('NO_WEBGPU', message));
  }
  for (const name of ['document', 'isSecureContext', 'location']) delete scope[name];
});

const backend = await startInNode();
if (!backend) t.test('a device', { skip: NO_ADAPTER }, async () => {});
else runTests();

function runTests(): void {
  tf.env().set('WEBGPU_CPU_FORWARD', false); // otherwise tfjs computes small tensors on the CPU
  const current = () => tf.backend() as WebGPUBackend;
  const x = () => tf.ones([4]);
  /** Rejected by every device. */
  const refuse = () => current().device.createBuffer({ size: 4, usage: 0 });

  t.test('the device has what kernels use, and its adapter a name', async (t) => {
    const { name, isFallback } = adapterDescription();
    t.ok(name.length > 0);
    t.type(isFallback, 'boolean');
    const { limits, features } = current().device;
    t.ok(limits.maxStorageBuffersPerShaderStage > 8, `${limits.maxStorageBuffersPerShaderStage} buffers`);
    t.ok(limits.maxComputeWorkgroupStorageSize >= 16384);
    t.ok(features.has('timestamp-query'));
    t.notOk('gpu' in (globalThis.navigator ?? {}), 'no navigator.gpu is left behind');
    await ready(); // again, on a running backend
    await t.rejects(
      startWebgpu({ features: ['teleportation'] }),
      unavailable('NO_DEVICE', /^webgpu: the adapter .* has no teleportation$/),
    );
    t.same([...(await x().data())], [1, 1, 1, 1], 'what ran before runs still');
  });

  t.test('without features that were not asked for', async (t) => {
    await startInNode(undefined, { features: [] });
    t.notOk(current().device.features.has('timestamp-query'));
  });

  t.test('an error is one of the reading that waits for it, and of what was made meanwhile', async (t) => {
    const before = tf.add(x(), 1);
    await before.data();
    const spoilt = tf.add(before, 1);
    const alsoSpoilt = tf.mul(spoilt, 2);
    refuse();
    const invalid = { name: 'WebgpuError', code: 'INVALID_KERNEL', message: /^webgpu: .*usage/ };
    await t.rejects(spoilt.data(), invalid);
    await t.rejects(spoilt.data(), invalid, 'for ever');
    await t.rejects(alsoSpoilt.data(), invalid);
    t.throws(() => tf.add(alsoSpoilt, 1), invalid, 'a kernel that would use it');
    t.same([...(await tf.add(before, 1).data())], [3, 3, 3, 3], 'everything else goes on');
    tf.dispose([spoilt, alsoSpoilt]);
    t.same([...(await tf.add(before, 5).data())], [7, 7, 7, 7]);
  });

  t.test('readings at the same time: each has its own errors', async (t) => {
    const good = tf.add(x(), 1).data();
    const bad = tf.add(x(), 2);
    refuse();
    const [first, second] = await Promise.allSettled([good, bad.data()]);
    t.match(first, { status: 'fulfilled', value: Float32Array.of(2, 2, 2, 2) });
    t.match(second, { status: 'rejected', reason: { code: 'INVALID_KERNEL' } });
  });

  t.test('out of memory', async (t) => {
    const { device } = current();
    const y = tf.add(x(), 1);
    const pop = device.popErrorScope;
    let told = false;
    device.popErrorScope = async () => {
      const error = await pop.call(device);
      if (told) return error;
      told = true;
      return new GPUOutOfMemoryError('Failed to allocate memory');
    };
    await t.rejects(y.data(), WebgpuOutOfMemoryError);
    await t.rejects(y.data(), {
      code: 'OUT_OF_MEMORY',
      message: /^webgpu: out of memory: Failed .*smaller batch$/,
    });
    device.popErrorScope = pop;
    t.same([...(await tf.add(x(), 1).data())], [2, 2, 2, 2], 'the backend goes on');
    const size = device.limits.maxBufferSize;
    t.throws(() => tf.fill([size / 4 + 1], 1), { code: 'OUT_OF_MEMORY', message: /holds at most \d+/ });
  });

  t.test('values that are on the device are not read synchronously', async (t) => {
    const y = tf.add(x(), 1);
    t.throws(() => y.dataSync(), { code: 'READ_SYNCHRONOUSLY', message: /await tensor\.data\(\)/ });
    await y.data();
    t.same([...y.dataSync()], [2, 2, 2, 2]);
    t.same([...tf.tensor1d([3]).dataSync()], [3]);
  });

  t.test('a device that is lost while a reading waits, and a new backend', async (t) => {
    const { device } = current();
    const y = tf.add(x(), 1);
    const reading = tf.add(y, 1).data();
    device.destroy();
    await t.rejects(reading, WebgpuDeviceLostError);
    const lost = { code: 'DEVICE_LOST', message: /^webgpu: the device was lost .* startWebgpu\(\)/ };
    t.throws(() => tf.add(y, 1), lost, 'a kernel');
    await t.rejects(y.data(), lost, 'another reading');
    await startInNode();
    t.not(current().device, device);
    t.same([...(await tf.add(x(), 1).data())], [2, 2, 2, 2]);
  });

  t.test('a backend that is removed gives its device back, and starts again', async (t) => {
    const { device } = current();
    tf.removeBackend('webgpu');
    registerWebgpu();
    await tf.setBackend('webgpu'); // immediately
    t.match(await device.lost, { reason: 'destroyed' });
    t.same([...(await tf.add(x(), 1).data())], [2, 2, 2, 2]);
  });
}
