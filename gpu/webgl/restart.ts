/** Replaces the backend after a lost context. */
import { findBackendFactory, registerBackend, removeBackend, setBackend } from '@tensorflow/tfjs-core';
import { attachToBackend, BACKEND } from './kernels.js';

/** tfjs's own priority of this backend. */
const PRIORITY = 2;

/**
 * Replaces tfjs's `webgl` backend by a new one with its own context, and makes it the current one. The contents of the old
 * one are lost: load models again.
 * @throws {Error} if no `webgl` backend was registered or the new one does not start.
 */
export async function restartWebgl(): Promise<void> {
  const factory = findBackendFactory(BACKEND);
  if (!factory) throw new Error("no backend 'webgl' is registered: import '@tensorflow/tfjs-backend-webgl'");
  removeBackend(BACKEND);
  registerBackend(BACKEND, factory, PRIORITY);
  if (!(await setBackend(BACKEND))) throw new Error("a new backend 'webgl' did not start");
  attachToBackend();
}
