/** Registers kernels that run as shaders: draws instead of loops. */
import type { GPGPUProgram, MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { env, findBackend, type KernelBackend, type TensorInfo } from '@tensorflow/tfjs-core';
import '../../plugin/cpu/index.js'; // what runs where shaders cannot
import { type BackendKernel, hostKernelOf, registerBackendKernel } from '../../plugin/ops/kernels.js';
import type { Attributes, OpDeclaration, OutputSpec } from '../../plugin/ops/op.js';
import { watchContext } from './context.js';
import { type Derived, DerivedTextures, type Table } from './derived_textures.js';

export const BACKEND = 'webgl';

/** Runs one shader over every texel of a new tensor. It is disposed after the kernel, unless it is returned. */
export type Draw = (program: GPGPUProgram, inputs: TensorInfo[], uniforms?: number[]) => TensorInfo;

/** What a kernel is called with. */
export interface WebglKernelArguments<D extends OpDeclaration> {
  readonly inputs: Readonly<Record<keyof D['inputs'], TensorInfo>>;
  readonly outputs: readonly OutputSpec[];
  readonly attributes: Attributes;
  readonly draw: Draw;
  /** Frees a texture that `draw` made, before the kernel ends. */
  readonly release: (tensor: TensorInfo) => void;
  /** Values of a tensor on the host. Those that were made on the host cost nothing; others wait for the GPU. */
  readonly read: (tensor: TensorInfo) => Int32Array;
  /** A texture that is made from an input tensor once, and kept as long as the tensor: see derived_textures.ts. */
  readonly derived: <Facts>(
    tensor: TensorInfo,
    name: string,
    make: () => Table & { facts: Facts },
  ) => Derived<Facts>;
  /** A number that two tensors share only when they share their values. */
  readonly identityOf: (tensor: TensorInfo) => number;
}

export type WebglKernel<D extends OpDeclaration> = (args: WebglKernelArguments<D>) => TensorInfo[];

const hosts = new WeakMap<KernelBackend, { webgl: MathBackendWebGL; derived: DerivedTextures }>();

/** What belongs to one tfjs backend: made at its first kernel of ours, since tfjs does not tell when it starts. */
function hostOf(backend: KernelBackend) {
  const known = hosts.get(backend);
  if (known) return known;
  const webgl = backend as MathBackendWebGL;
  if (env().getNumber('WEBGL_VERSION') < 2) {
    throw new Error("tfjs-grootvl/webgl needs WebGL 2; this browser has WebGL 1: use tf.setBackend('wasm')");
  }
  watchContext(webgl);
  const host = { webgl, derived: new DerivedTextures(webgl) };
  hosts.set(backend, host);
  return host;
}

/** Watches the backend `webgl` from now on, if there is one. */
export function attachToBackend(): void {
  const backend = findBackend(BACKEND);
  if (backend) hostOf(backend);
}

/**
 * Registers the kernel of an op for tfjs's `webgl` backend, before or after that is ready. Where a device renders
 * only float16, the host kernel of an op runs instead when it is `exact`: it needs indices, weights of edges, or long
 * products.
 */
export function registerWebglKernel<D extends OpDeclaration>(
  op: D,
  kernel: WebglKernel<D>,
  { exact = false }: { exact?: boolean } = {},
): void {
  const onDevice: BackendKernel = ({ inputs, attributes, outputs, backend }) => {
    const { webgl, derived } = hostOf(backend);
    const made = new Set<TensorInfo>();
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
          const result = webgl.runWebGLProgram(program, inputs, 'float32', values, true);
          made.add(result);
          return result;
        },
        release,
        read: (tensor) => webgl.readSync(tensor.dataId) as Int32Array,
        derived: (tensor, name, make) => derived.get(tensor, name, make),
        identityOf: ({ dataId }) => identityOf(dataId),
      });
      return results.map(({ dataId }, i) => ({ dataId, ...outputs[i] }));
    } finally {
      for (const tensor of made) if (!results.includes(tensor)) release(tensor);
    }
  };
  registerBackendKernel(op, BACKEND, (args) => {
    if (rendersFloat32()) return onDevice(args);
    warnOfFloat16();
    hostOf(args.backend);
    return (exact ? hostKernelOf(op) : onDevice)(args);
  });
}

/** Registers the host kernel of an op for the backend: inputs are read back, outputs stay on the host until used. */
export function registerHostKernelOnWebgl(op: OpDeclaration): void {
  registerBackendKernel(op, BACKEND, (args) => {
    hostOf(args.backend);
    return hostKernelOf(op)(args);
  });
}

const identities = new WeakMap<object, number>();
let lastIdentity = 0;

/** tfjs's own ids will not do: every backend counts for itself, and data moves. */
function identityOf(dataId: object): number {
  const identity = identities.get(dataId) ?? ++lastIdentity;
  identities.set(dataId, identity);
  return identity;
}

function rendersFloat32(): boolean {
  return env().getBool('WEBGL_RENDER_FLOAT32_ENABLED');
}

let warned = false;

/** The differences were measured in Chromium, with tfjs made to render float16: limits.test.ts. */
function warnOfFloat16(): void {
  if (warned) return;
  warned = true;
  console.warn(
    'tfjs-grootvl/webgl: this device renders only float16. Trees and scans run on the CPU in float32; everything ' +
      'else is rounded to 11 bits: logits of small models were off by up to 1.4e-2 (2e-6 in float32). For more, ' +
      "use tf.setBackend('wasm').",
  );
}
