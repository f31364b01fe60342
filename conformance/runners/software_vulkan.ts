/** WebGPU in Node without a GPU, with Chromium's software driver. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findChromium } from './launch_chromium.js';

/**
 * SwiftShader takes seconds to compile the zeroing of workgroup memory, on which no kernel here relies: without it, a kernel that
 * does would fail.
 */
export const DAWN_OPTIONS = ['enable-dawn-features=disable_workgroup_init'];

/** The variable that tells the Vulkan loader where to find drivers. */
const VARIABLE = 'VK_DRIVER_FILES';
/** Debian's /usr/bin/chromium is a script; the program and the driver are in another folder. */
const FOLDERS = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome'];
const DRIVER = 'vk_swiftshader_icd.json';

/**
 * Starts a backend, and if there is no adapter, starts it again with the software driver. An existing value of `VK_DRIVER_FILES`
 * is kept.
 * @throws the error of the first start, if both fail
 */
export async function softwareVulkan<T>(start: () => Promise<T>): Promise<T> {
  const driver = findDriver();
  // A process started by one of these finds the driver by its environment.
  if (driver && process.env[VARIABLE] === driver) waitBetweenPolls();
  try {
    return await start();
  } catch (error) {
    if ((error as { code?: string }).code !== 'NO_ADAPTER' || !driver || process.env[VARIABLE]) throw error;
    process.env[VARIABLE] = driver;
    waitBetweenPolls();
    return await start().catch(() => {
      delete process.env[VARIABLE];
      throw error;
    });
  }
}

const POLL_MILLISECONDS = 0.2;
let isWaiting = false;

/**
 * Dawn's bindings look for results in every turn of the event loop, by a function of theirs that they pass to `setImmediate`: a
 * core is busy while the driver's threads, which need it, compute. Here the process sleeps before each look.
 */
function waitBetweenPolls(): void {
  if (isWaiting) return;
  isWaiting = true;
  const { setImmediate } = globalThis;
  const never = new Int32Array(new SharedArrayBuffer(4));
  const waiting = (callback: (...args: unknown[]) => void, ...args: unknown[]) => {
    const isNative = Function.prototype.toString.call(callback).endsWith('{ [native code] }');
    if (isNative) Atomics.wait(never, 0, 0, POLL_MILLISECONDS);
    return setImmediate(callback, ...args);
  };
  globalThis.setImmediate = Object.assign(waiting, setImmediate);
}

function findDriver(): string | undefined {
  const folders = [...FOLDERS];
  try {
    folders.unshift(dirname(realpathSync(findChromium())));
  } catch {} // there is no driver
  return folders.map((folder) => join(folder, DRIVER)).find((path) => existsSync(path));
}
