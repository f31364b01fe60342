/** tfjs's backend `webgpu` in Node for tests: Dawn's bindings on a GPU, on a software driver, or on neither. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { DAWN_OPTIONS, softwareVulkan } from '../../../conformance/runners/software_vulkan.js';
import { DEBUG_FLAG } from '../runner.js';
import { startWebgpu, type WebgpuOptions } from '../start.js';

/** Reason to skip a test that needs an adapter; set by the last `startInNode`. */
export let NO_ADAPTER = 'no WebGPU adapter';

/**
 * Starts the backend on the available adapter or, with `null`, on a device that validates everything and computes nothing.
 * @returns undefined if there is no adapter
 */
export async function startInNode(
  dawnBackend?: 'null',
  options: WebgpuOptions = {},
): Promise<WebGPUBackend | undefined> {
  tf.env().set(DEBUG_FLAG, true);
  const dawn = dawnBackend ? [...DAWN_OPTIONS, `backend=${dawnBackend}`] : DAWN_OPTIONS;
  try {
    if (dawnBackend) await startWebgpu({ dawn, ...options });
    else await softwareVulkan(() => startWebgpu({ dawn, ...options }));
  } catch (error) {
    NO_ADAPTER = (error as Error).message;
    return undefined;
  }
  return tf.backend() as WebGPUBackend;
}
