/** The backends `webgl` and `webgpu`: whether there is a GPU for them; the browser may revoke it at any time. */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { backend, engine, env, getBackend, setBackend } from '@tensorflow/tfjs-core';
import type { OnLoss, Starter } from './starter.js';

/** Software renderers, which run on the CPU. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render/i;

const lost = new WeakSet<object>();

/** @param started backend that has lost its GPU: reported if it is current, and remembered otherwise */
function onGpuLost(started: object, tell: () => void): void {
  lost.add(started);
  if (engine().registry[getBackend()] === started) tell();
}

/** @returns a backend that is already running, and whether it has lost its GPU */
function earlier(name: string): { before?: object; isLost: boolean } {
  const before = engine().registry[name];
  return { before, isLost: before !== undefined && lost.has(before) };
}

export const webgl: Starter = {
  offer() {
    const canvas = typeof OffscreenCanvas === 'undefined' ? undefined : new OffscreenCanvas(1, 1);
    const gl = canvas?.getContext('webgl2');
    if (!gl) return { missing: 'this browser has no WebGL 2 in workers' };
    const device = rendererOf(gl);
    gl.getExtension('WEBGL_lose_context')?.loseContext(); // a page has few contexts: release this one
    return { device, isGpu: !SOFTWARE.test(device) };
  },

  async start(onLoss: OnLoss) {
    await import('@tensorflow/tfjs-backend-webgl');
    const { ready, restartWebgl } = await import('tfjs-grootvl/webgl');
    const offer = await webgl.offer();
    // With a software renderer, compiling shaders takes longest: one shader for all shapes replaces one for each.
    if ('isGpu' in offer && !offer.isGpu) env().set('WEBGL_USE_SHAPES_UNIFORMS', true);
    const { before, isLost } = earlier('webgl');
    if (isLost) await restartWebgl();
    else await setBackend('webgl');
    await ready(); // throws an error that says what is missing
    const started = backend() as MathBackendWebGL;
    const { gl } = started.getGPGPUContext();
    if (started !== before) {
      gl.canvas.addEventListener('webglcontextlost', () =>
        onGpuLost(started, () => onLoss('the browser has taken the WebGL context away')),
      );
    }
    return rendererOf(gl);
  },
};

function rendererOf(gl: WebGLRenderingContext): string {
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  return String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

/** tfjs's WebGPU types are older. */
type AdapterInfo = Readonly<Record<'vendor' | 'architecture' | 'device' | 'description', string>>;

export const webgpu: Starter = {
  async offer() {
    if (!navigator.gpu) {
      const missing = globalThis.isSecureContext
        ? 'this browser has no WebGPU (navigator.gpu)'
        : `pages have WebGPU on https and on localhost only, and this one is from ${location.origin}`;
      return { missing };
    }
    const adapter = await navigator.gpu
      .requestAdapter({ powerPreference: 'high-performance' })
      .catch(() => null);
    if (!adapter) return { missing: 'no adapter was found; chrome://gpu or about:support says why' };
    const { info } = adapter as unknown as { readonly info: AdapterInfo };
    const name = [info.vendor, info.architecture, info.description || info.device].filter(Boolean).join(' ');
    // A property of the adapter information in newer browsers, of the adapter in older ones.
    const isFallback = [info, adapter].some((part) => 'isFallbackAdapter' in part && part.isFallbackAdapter);
    return { device: name || 'unnamed adapter', isGpu: !isFallback && !SOFTWARE.test(name) };
  },

  async start(onLoss: OnLoss) {
    const { adapterDescription, ready, startWebgpu } = await import('tfjs-grootvl/webgpu');
    const { before, isLost } = earlier('webgpu');
    if (isLost) await startWebgpu();
    else await ready(); // throws an error that says what is missing
    await setBackend('webgpu');
    const started = backend() as WebGPUBackend;
    if (started !== before) {
      void started.device.lost.then(({ message }) =>
        onGpuLost(started, () => onLoss(`the browser has taken the GPU away${message && ` (${message})`}`)),
      );
    }
    return adapterDescription().name;
  },
};
