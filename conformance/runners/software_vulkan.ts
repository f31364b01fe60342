/** WebGPU in Node where there is no GPU: by the software driver that comes with Chromium. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findChromium } from './launch_chromium.js';

/**
 * SwiftShader takes seconds to compile the zeroing of workgroup memory, which no kernel here relies on: without it, one
 * that does fails.
 */
export const DAWN_OPTIONS = ['enable-dawn-features=disable_workgroup_init'];

/** Where the Vulkan loader looks for drivers. */
const VARIABLE = 'VK_DRIVER_FILES';
/** Debian's /usr/bin/chromium is a script; the program and the driver are in a folder of their own. */
const FOLDERS = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome'];
const DRIVER = 'vk_swiftshader_icd.json';

/**
 * Starts a backend, and where there is no adapter again, on the software driver. `VK_DRIVER_FILES` that is set stays.
 * @throws what the first start threw, where there is neither
 */
export async function softwareVulkan<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const driver = findDriver();
    if ((error as { code?: string }).code !== 'NO_ADAPTER' || !driver || process.env[VARIABLE]) throw error;
    process.env[VARIABLE] = driver;
    return await start().catch(() => {
      delete process.env[VARIABLE];
      throw error;
    });
  }
}

function findDriver(): string | undefined {
  const folders = [...FOLDERS];
  try {
    folders.unshift(dirname(realpathSync(findChromium())));
  } catch {} // there is none
  return folders.map((folder) => join(folder, DRIVER)).find((path) => existsSync(path));
}
