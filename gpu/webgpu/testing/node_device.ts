/** tfjs's backend `webgpu` in Node for tests: Dawn's bindings over a software driver, or over none. */
import { existsSync } from 'node:fs';
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { DEBUG_FLAG } from '../runner.js';

/** Chromium's software driver for Vulkan. */
const DRIVERS = ['/usr/lib/chromium/vk_swiftshader_icd.json'];
/** SwiftShader takes seconds to compile the zeroing of workgroup memory; and so kernels that rely on it fail. */
const TOGGLES = ['enable-dawn-features=disable_workgroup_init'];

/**
 * Starts the backend on SwiftShader, or with `null` on a device that validates all and computes nothing.
 * @returns undefined where there is no adapter
 */
export async function startInNode(dawnBackend?: 'null'): Promise<WebGPUBackend | undefined> {
  const { create, globals } = await import('webgpu');
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value });
  }
  process.env.VK_DRIVER_FILES ??= DRIVERS.find(existsSync);
  const gpu = create(dawnBackend ? [...TOGGLES, `backend=${dawnBackend}`] : TOGGLES);
  if (!('navigator' in globalThis)) Object.defineProperty(globalThis, 'navigator', { value: {} });
  Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });
  const adapter = await gpu.requestAdapter();
  if (!adapter) return undefined;
  const { maxComputeWorkgroupStorageSize, maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: adapter.features.has('timestamp-query') ? ['timestamp-query'] : [],
    requiredLimits: { maxComputeWorkgroupStorageSize, maxStorageBufferBindingSize, maxBufferSize },
  });
  const backend = new WebGPUBackend(device, adapter.info);
  tf.env().set(DEBUG_FLAG, true);
  if (tf.findBackendFactory('webgpu')) tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => backend, 0);
  await tf.setBackend('webgpu');
  return backend;
}

/** Why a test that needs an adapter is skipped. */
export const NO_ADAPTER = 'no WebGPU adapter: install libvulkan1, and a driver that VK_DRIVER_FILES names';
