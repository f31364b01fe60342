/** Registers kernels that run as shaders, by draws. */
import type { GPGPUProgram, MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import {
  engine,
  env,
  findBackend,
  findBackendFactory,
  type KernelBackend,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import '../../plugin/cpu/index.js'; // run where shaders cannot
import { PerTensorCache } from '../../plugin/kernels/per_tensor_cache.js';
import type { AttributesOf, OpDeclaration, OutputSpec } from '../../plugin/ops/declaration.js';
import { type BackendKernel, hostKernelOf, registerBackendKernel } from '../../plugin/ops/kernels.js';
import { throwIfLost, watchContext } from './context.js';
import { type PointDraw, PointDrawer } from './point_drawer.js';
import { type CachedTextures, emptyOutput, emptyTexture, type Table, upload } from './textures.js';

export const BACKEND = 'webgl';

/** Runs a shader for every texel of a new tensor, which is disposed after the kernel unless it is returned. */
export type Draw = (program: GPGPUProgram, inputs: TensorInfo[], uniforms?: number[]) => TensorInfo;

/**
 * Draws points (point_drawer.ts) to new textures: a number requests one of that many texels, [1, 2, 2 * number] packed; a
 * shape and type request a tensor with one number per texel.
 */
export type DrawPoints = (
  draw: Omit<PointDraw, 'outputs'> & { readonly outputs: readonly (number | OutputSpec)[] },
) => TensorInfo[];

/** Arguments of a kernel. */
export interface WebglKernelArguments<D extends OpDeclaration> {
  readonly inputs: Readonly<Record<keyof D['inputs'], TensorInfo>>;
  readonly outputs: readonly OutputSpec[];
  readonly attributes: AttributesOf<D['attributes']>;
  readonly draw: Draw;
  readonly drawPoints: DrawPoints;
  /** Returns a float32 tensor as a texture of one number per texel, in row-major order. At most one draw, usually none. */
  readonly flat: (tensor: TensorInfo) => TensorInfo;
  /** Uploads a texture of numbers from the host. Not a draw. */
  readonly upload: (table: Table) => TensorInfo;
  /** Frees a texture made by `draw` before the kernel ends. */
  readonly release: (tensor: TensorInfo) => void;
  /**
   * Reads the values of a tensor on the host. This is free if they were made on the host; otherwise it waits for the GPU.
   */
  readonly read: (tensor: TensorInfo) => Int32Array;
  /** Returns textures that are made from tensors once, and cached as long as these exist: see per_tensor_cache.ts. */
  readonly cached: <Facts>(
    sources: readonly TensorInfo[],
    name: string,
    make: () => CachedTextures<Facts>,
  ) => CachedTextures<Facts>;
  /** Returns such textures if they exist. */
  readonly findCached: (sources: readonly TensorInfo[], name: string) => CachedTextures<unknown> | undefined;
  /** Runs the op's host kernel instead: inputs are read back, outputs stay on the host until used. */
  readonly runOnHost: () => TensorInfo[];
  /** Limit of both sides of a texture. */
  readonly maxTextureSize: number;
}

export type WebglKernel<D extends OpDeclaration> = (args: WebglKernelArguments<D>) => TensorInfo[];

interface Host {
  readonly webgl: MathBackendWebGL;
  readonly cache: PerTensorCache<CachedTextures<unknown>>;
  readonly points: PointDrawer;
}

const hosts = new WeakMap<KernelBackend, Host>();

/** Returns our state of a tfjs backend: created when its first kernel of ours runs, since tfjs does not report its start. */
function hostOf(backend: KernelBackend): Host {
  const known = hosts.get(backend);
  if (known) return known;
  const webgl = backend as MathBackendWebGL;
  if (env().getNumber('WEBGL_VERSION') < 2) {
    throw new Error("tfjs-grootvl/webgl needs WebGL 2; this browser has WebGL 1: use tf.setBackend('wasm')");
  }
  watchContext(webgl);
  const cache = new PerTensorCache<CachedTextures<unknown>>(webgl, ({ textures }) => {
    for (const texture of textures) webgl.disposeIntermediateTensorInfo(texture);
  });
  const host = { webgl, cache, points: new PointDrawer(webgl) };
  hosts.set(backend, host);
  return host;
}

/** Watches the backend `webgl` from now on, if it is running. */
export function attachToBackend(): void {
  const backend = findBackend(BACKEND);
  if (backend) hostOf(backend);
}

/**
 * Starts the backend unless it is running, and watches it.
 * @throws {Error} that says why it does not run.
 */
export function startBackend(): void {
  const start = findBackendFactory(BACKEND);
  if (!start) {
    throw new Error(
      "tfjs-grootvl/webgl: tfjs has no backend 'webgl': import '@tensorflow/tfjs-backend-webgl' before ready(), of the " +
        'same tfjs version and beside the same copy of @tensorflow/tfjs-core as tfjs-grootvl; it registers itself in ' +
        "pages only (in Node: 'wasm' or 'cuda')",
    );
  }
  if (!engine().registry[BACKEND]) {
    // tfjs would only log a warning without a reason.
    try {
      engine().registry[BACKEND] = start() as KernelBackend;
    } catch (cause) {
      throw new Error(
        `tfjs-grootvl/webgl: WebGL does not start here: ${(cause as Error).message}; use tf.setBackend('wasm')`,
        { cause },
      );
    }
  }
  attachToBackend();
}

/**
 * Registers the kernel of an op for tfjs's `webgl` backend, before or after the backend is ready. If a device renders only
 * float16, the host kernel of an op runs instead if the op is marked `exact`: it needs indices, edge weights, or long
 * products.
 */
export function registerWebglKernel<D extends OpDeclaration>(
  op: D,
  kernel: WebglKernel<D>,
  { exact = false }: { exact?: boolean } = {},
): void {
  const onDevice: BackendKernel<D> = (args) => {
    const { inputs, attributes, outputs, backend } = args;
    const { webgl, cache, points } = hostOf(backend);
    const made = new Set<TensorInfo>();
    const keep = (tensor: TensorInfo) => {
      made.add(tensor);
      return tensor;
    };
    const release = (tensor: TensorInfo) => {
      if (made.delete(tensor)) webgl.disposeIntermediateTensorInfo(tensor);
    };
    let results: TensorInfo[] = [];
    try {
      results = kernel({
        inputs: inputs as Record<keyof D['inputs'], TensorInfo>,
        outputs,
        attributes,
        draw: (program, inputs, uniforms = []) => {
          const values = uniforms.map((value) => [value]);
          return keep(webgl.runWebGLProgram(program, inputs, 'float32', values, true));
        },
        drawPoints: ({ outputs, ...draw }) => {
          const results = outputs.map((output) =>
            keep(typeof output === 'number' ? emptyTexture(webgl, output) : emptyOutput(webgl, output)),
          );
          points.draw({ ...draw, outputs: results });
          return results;
        },
        flat: (tensor) => {
          webgl.uploadToGPU(tensor.dataId);
          const { isPacked, slice } = webgl.texData.get(tensor.dataId);
          return isPacked || slice ? keep(webgl.unpackTensor(tensor)) : tensor;
        },
        upload: (table) => keep(upload(webgl, table)),
        release,
        read: (tensor) => webgl.readSync(tensor.dataId) as Int32Array,
        cached: <Facts>(sources: readonly TensorInfo[], name: string, make: () => CachedTextures<Facts>) => {
          const result = cache.get(sources, name, make) as CachedTextures<Facts>;
          for (const texture of result.textures) made.delete(texture);
          return result;
        },
        findCached: (sources, name) => cache.find(sources, name),
        runOnHost: () => hostKernelOf(op)(args),
        maxTextureSize: env().getNumber('WEBGL_MAX_TEXTURE_SIZE'),
      });
      return results.map(({ dataId }, i) => ({ dataId, ...outputs[i] }));
    } catch (error) {
      throwIfLost(webgl); // without its context, WebGL fails in many ways
      throw error;
    } finally {
      for (const tensor of made) if (!results.includes(tensor)) release(tensor);
    }
  };
  registerBackendKernel(op, BACKEND, (args) => {
    if (env().getBool('WEBGL_RENDER_FLOAT32_ENABLED')) return onDevice(args);
    warnOfFloat16();
    hostOf(args.backend);
    return (exact ? hostKernelOf(op) : onDevice)(args);
  });
}

let warned = false;

/** The differences were measured in Chromium, with tfjs forced to render float16: limits.test.ts. */
function warnOfFloat16(): void {
  if (warned) return;
  warned = true;
  console.warn(
    'tfjs-grootvl/webgl: this device renders only float16. Trees and scans run on the CPU in float32; everything ' +
      'else is rounded to 11 bits: logits of small models were off by up to 1.4e-2 (2e-6 in float32). For more, ' +
      "use tf.setBackend('wasm').",
  );
}
