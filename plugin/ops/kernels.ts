/**
 * Connects ops to tfjs: runs an op on the current backend and registers kernels. On a backend without a kernel of ours, a
 * fused op is composed of tfjs's own ops; an op whose results decide shapes runs on the CPU, and so does a tree op, with one
 * warning.
 */
import {
  backend as currentBackend,
  customGrad,
  type DataType,
  engine,
  type GradSaveFunc,
  getBackend,
  getKernel,
  type KernelBackend,
  type KernelFunc,
  keep,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  type NamedTensorMap,
  registerKernel,
  type Tensor,
  type TensorInfo,
  tidy,
  unregisterKernel,
  zeros,
} from '@tensorflow/tfjs-core';
import { isBackendName } from '../backends.js';
import { type KernelArguments, kernelArguments } from '../kernels/adapter.js';
import { withCanonicalTree } from '../kernels/canonical_trees.js';
import { isCheckTaken } from '../kernels/recorders.js';
import { sizeOf } from '../kernels/sizes.js';
import { type HostArray, mustWaitForValues, readValues } from '../kernels/values.js';
import type {
  Attributes,
  AttributesOf,
  GradientDeclaration,
  OpDeclaration,
  OutputSpec,
  Tensors,
} from './declaration.js';
import { gradientsOf, isDifferentiable, namedSaved } from './declare.js';
import { checkInputs, completeAttributes } from './input_checks.js';
import { stopGradient } from './stop_gradient.js';

export type { HostArray };

/** Arguments of a kernel over typed arrays. Outputs are zero-filled. */
export interface HostKernelArguments<D extends OpDeclaration> extends KernelArguments<D, HostArray> {
  /** For an op with a `counted` letter: sets the number of output rows. If it is not called, all rows are kept. */
  readonly written: (rows: number) => void;
}

/** A kernel in plain TypeScript, which specifies the op in code. */
export type HostKernel<D extends OpDeclaration> = (args: HostKernelArguments<D>) => void;

/** A kernel of some backend, called after all checks. */
export type BackendKernel<D extends OpDeclaration = OpDeclaration> = (args: {
  readonly inputs: NamedTensorInfoMap;
  readonly attributes: AttributesOf<D['attributes']>;
  readonly outputs: readonly OutputSpec[];
  readonly backend: KernelBackend;
}) => TensorInfo[];

const hostKernels = new Map<string, BackendKernel>();
const fallbackKernels = new Set<string>();
/** Kernels of the backend itself. tfjs can copy kernels from another backend; those compute where that backend does. */
const backendKernels = new Set<string>();

/**
 * Registers the plain TypeScript kernel of an op: as the kernel of tfjs's `cpu` backend, and as the fallback on a backend
 * without its own kernel if the op cannot be composed of built-in ops.
 */
export function registerHostKernel<D extends OpDeclaration>(op: D, kernel: HostKernel<D>): void {
  const onHost = backendKernelOnHost(op, kernel);
  hostKernels.set(op.name, onHost as BackendKernel);
  registerBackendKernel(op, 'cpu', onHost);
}

/** Adapts a kernel over typed arrays to any backend: inputs are read from the backend, outputs are passed to it. */
export function backendKernelOnHost<D extends OpDeclaration>(op: D, kernel: HostKernel<D>): BackendKernel<D> {
  return (call) => {
    const { outputs, backend } = call;
    const results: HostArray[] = [];
    let rows: number | undefined;
    const memory = {
      input: (info: TensorInfo) => readValues(op.name, backend, info),
      output: ({ shape, dtype }: OutputSpec) => {
        const result = new (dtype === 'float32' ? Float32Array : Int32Array)(sizeOf(shape));
        results.push(result);
        return result;
      },
    };
    const written = (count: number) => {
      rows = count;
    };
    kernel({ ...kernelArguments(op, call, memory), written });
    return outputs.map((spec, i) => {
      const { shape, dtype } = withRows(spec, rows);
      const values = results[i].subarray(0, sizeOf(shape));
      return { dataId: backend.write(values, shape, dtype as DataType), shape, dtype };
    });
  };
}

/** Cuts an output of an op with a `counted` letter to its number of rows. */
function withRows({ shape, dtype }: OutputSpec, rows = shape[0]): OutputSpec {
  return { shape: rows === shape[0] ? shape : [rows, ...shape.slice(1)], dtype };
}

/**
 * Returns the plain TypeScript kernel of an op, for a backend that runs it on the host: each input is read from that backend
 * once unless the host already has it, and outputs are passed to the backend.
 * @throws {Error} if the op has none.
 */
export function hostKernelOf(op: OpDeclaration): BackendKernel {
  const kernel = hostKernels.get(op.name);
  if (!kernel) throw new Error(`${op.name}: no kernel on the host`);
  return kernel;
}

/**
 * Registers a backend's kernel for an op. The op's checks run before it, even if the kernel is called directly through
 * `tf.engine().runKernel`, and trees are brought into breadth-first order. May be called before or after the backend is
 * ready, and more than once.
 */
export function registerBackendKernel<D extends OpDeclaration>(
  op: D,
  backendName: string,
  kernel: BackendKernel<D>,
): void {
  // tfjs warns when a kernel is registered twice. A module that a bundler loaded twice, or a fallback of ours that is
  // replaced by a real kernel, needs no warning.
  if (getKernel(op.name, backendName)) unregisterKernel(op.name, backendName);
  fallbackKernels.delete(`${op.name} ${backendName}`);
  backendKernels.add(`${op.name} ${backendName}`);
  const kernelFunc: KernelFunc = ({ inputs, attrs, backend }) => {
    const { given, attributes, outputs } =
      takeChecked(inputs, attrs) ?? check(op, inputs, attrs as Attributes);
    const host = backend as KernelBackend;
    if (op.validate && !isCheckTaken(op, given, attributes)) {
      op.validate(given, attributes, (info) => readValues(op.name, host, info) as Int32Array);
    }
    const results = kernel({
      inputs: withCanonicalTree(given, host),
      attributes: attributes as AttributesOf<D['attributes']>,
      outputs,
      backend: host,
    });
    op.produced?.(results, attributes);
    return results.length === 1 ? results[0] : results;
  };
  registerKernel({ kernelName: op.name, backendName, kernelFunc });
}

/** Whether `backendName` has its own kernel for the op, so that it is neither composed nor run on the host. */
export function hasOwnKernel(op: OpDeclaration, backendName: string): boolean {
  return getKernel(op.name, backendName) != null && !fallbackKernels.has(`${op.name} ${backendName}`);
}

/**
 * The inputs whose values an op must wait for on the current backend: none if it can read synchronously or has its own
 * kernel.
 */
export function awaitedInputs(op: OpDeclaration): readonly string[] {
  return mustWaitForValues() && !backendKernels.has(`${op.name} ${getBackend()}`) ? (op.reads ?? []) : [];
}

/**
 * Runs an op on the current backend. Intermediate tensors are disposed.
 * @throws {OpError} before any kernel runs, if the inputs or attributes do not match the declaration.
 */
export function runOp(
  op: OpDeclaration,
  inputs: Readonly<Record<string, Tensor | undefined>>,
  attributes: Attributes = {},
): Tensor[] {
  const call = check(op, inputs, attributes); // first, so that an invalid call has no effect
  if (!isRecording()) return runKernelOf(op, call);
  return tidy(() => runRecorded(op, call).map(choice));
}

/** A call whose inputs and attributes match the declaration. */
interface CheckedCall<T extends TensorInfo = Tensor> {
  readonly given: Readonly<Record<string, T>>;
  readonly attributes: Attributes;
  readonly outputs: readonly OutputSpec[];
}

/** @throws {OpError} if they do not match the declaration. */
function check<T extends TensorInfo>(
  op: OpDeclaration,
  inputs: Readonly<Record<string, T | null | undefined>>,
  attributes: Attributes = {},
): CheckedCall<T> {
  const given = definedInputs(inputs);
  const complete = completeAttributes(op, attributes);
  return { given, attributes: complete, outputs: checkInputs(op, given, complete) };
}

/** The call that `runOp` is passing to a kernel, which need not check it again. */
let handedOver: CheckedCall | undefined;

/** Takes the call of `runOp` that these inputs and attributes belong to; each call can be taken once. */
function takeChecked(inputs: NamedTensorInfoMap, attributes: unknown): CheckedCall<TensorInfo> | undefined {
  const call = handedOver;
  handedOver = undefined;
  return call?.given === inputs && call.attributes === attributes ? call : undefined;
}

/** Whether tfjs is currently recording ops for gradients. */
function isRecording(): boolean {
  const { gradientDepth, kernelDepth } = engine().state;
  return gradientDepth > 0 && kernelDepth === 0;
}

/**
 * Integers, such as a tree, may depend on a differentiated variable, but no gradient flows through them. tfjs's own ops
 * (`gather` by the order of a tree) fail if a gradient of their indices seems to be needed.
 */
function choice(tensor: Tensor): Tensor {
  return tensor.dtype === 'int32' ? stopGradient(tensor) : tensor;
}

/**
 * Runs an op so that tfjs uses its declared gradient on every backend, even if the op is composed. An op without a gradient
 * is composed, so that gradients can be differentiated again.
 */
function runRecorded(op: OpDeclaration, call: CheckedCall): Tensor[] {
  const { gradient } = op;
  if (!gradient) return op.compose ? compose(op.compose, call) : runKernelOf(op, call);
  const parts = op.recorded?.(call.given, call.attributes);
  if (parts) return [parts].flat();
  return engine().state.gradientDepth === 1
    ? runWithGradient(op, gradient, call)
    : runDifferentiable(op, gradient, call);
}

/**
 * What tfjs does for kernels that are not registered. Its `customGrad` computes the gradients of all inputs, needed or not.
 */
interface RecordingEngine {
  runKernelFunc(kernel: {
    readonly forwardFunc: () => Tensor[];
    readonly backwardsFunc: (
      dy: Tensor | Tensor[],
      saved: Tensor[],
    ) => Readonly<Record<string, () => Tensor>>;
    readonly inputs: Tensors;
  }): Tensor[];
  readonly state: { readonly activeTape: readonly { readonly saved: Tensor[] }[] };
}

/**
 * Computes gradients only for the inputs that need one. The tensors they need are saved as new tensors over the same data:
 * tfjs saves clones, which are copies on its wasm backend.
 */
function runWithGradient(
  op: OpDeclaration,
  { saves, savesOutputs, compute }: GradientDeclaration,
  call: CheckedCall,
): Tensor[] {
  const { given: inputs, attributes } = call;
  const kept: Tensor[] = [];
  const save = (tensor: Tensor) => kept.push(keep(stopGradient(tensor)));
  const saved = saves.filter((name) => inputs[name]);
  const recording = engine() as unknown as RecordingEngine;
  try {
    const outputs = recording.runKernelFunc({
      forwardFunc: () => {
        const results = runKernelOf(op, call);
        for (const name of saved) save(inputs[name]);
        if (savesOutputs) results.forEach(save);
        return results;
      },
      backwardsFunc: (dy, tensors) => {
        const upstream = [dy].flat();
        const given = namedSaved(op, tensors, saved);
        return gradientsOf(op, inputs, upstream, () => compute(given, upstream, attributes));
      },
      inputs: Object.fromEntries(Object.entries(inputs).filter(([name]) => isDifferentiable(op, name))),
    });
    recording.state.activeTape.at(-1)?.saved.push(...kept); // tfjs frees them with the tape
    return outputs;
  } catch (error) {
    for (const tensor of kept) tensor.dispose();
    throw error;
  }
}

/** Does the same through `customGrad`, whose gradients can be differentiated again. It does not support several outputs. */
function runDifferentiable(
  op: OpDeclaration,
  { saves, savesOutputs, compute }: GradientDeclaration,
  call: CheckedCall,
): Tensor[] {
  const given = Object.fromEntries(
    Object.entries(call.given).map(([name, tensor]) => [name, choice(tensor)]),
  );
  const differentiated = { ...call, given };
  if (op.outputNames.length > 1)
    return op.compose ? compose(op.compose, differentiated) : runKernelOf(op, differentiated);
  const names = Object.keys(given).filter((name) => isDifferentiable(op, name));
  const run = customGrad((...args: (Tensor | GradSaveFunc)[]) => {
    const save = args.pop() as GradSaveFunc;
    const [value] = runKernelOf(op, differentiated);
    const saved = saves.filter((name) => given[name]);
    save([...saved.map((name) => given[name]), ...(savesOutputs ? [value] : [])]);
    const gradFunc = (dy: Tensor, tensors: Tensor[]) => {
      const kept = namedSaved(op, tensors, saved);
      const gradients = gradientsOf(op, given, [dy], () => compute(kept, [dy], call.attributes));
      return names.map((name) => gradients[name]());
    };
    return { value, gradFunc };
  });
  return [run(...names.map((name) => given[name]))];
}

/** Runs the kernel of an op, or its replacement on a backend that has none. */
function runKernelOf(op: OpDeclaration, call: CheckedCall): Tensor[] {
  currentBackend(); // initialises tfjs's default backend if none has been chosen yet
  const backendName = getBackend();
  if (!getKernel(op.name, backendName)) {
    const { compose: composed } = op;
    if (composed) return tidy(() => compose(composed, call));
    registerFallbackKernel(op, backendName);
  }
  handedOver = call;
  const results = engine().runKernel<Tensor | Tensor[]>(
    op.name,
    call.given as NamedTensorMap,
    call.attributes as NamedAttrMap,
  );
  return Array.isArray(results) ? results : [results];
}

/** Some of tfjs's own ops fail on empty tensors, so empty results are not computed, unless recorded. */
function compose(
  run: NonNullable<OpDeclaration['compose']>,
  { given, attributes, outputs }: CheckedCall,
): Tensor[] {
  const isEmpty = engine().state.gradientDepth === 0 && outputs.every(({ shape }) => shape.includes(0));
  return isEmpty
    ? outputs.map(({ shape, dtype }) => zeros([...shape], dtype))
    : [run(given, attributes)].flat();
}

/** Reads the values of an int32 tensor on the current backend, for the checks of an op: see `readValues`. */
export function readIds(op: string, info: TensorInfo): Int32Array {
  return readValues(op, currentBackend(), info) as Int32Array;
}

/** Reads the values of a float32 tensor on the current backend: see `readValues`. */
export function readFloats(op: string, info: TensorInfo): Float32Array {
  return readValues(op, currentBackend(), info) as Float32Array;
}

function registerFallbackKernel(op: OpDeclaration, backendName: string): void {
  const kernel = hostKernels.get(op.name);
  if (!kernel) throw new Error(`${op.name}: no kernel for the backend '${backendName}' and none on the host`);
  registerBackendKernel(op, backendName, kernel);
  fallbackKernels.add(`${op.name} ${backendName}`);
  backendKernels.delete(`${op.name} ${backendName}`);
  if (op.reads) return; // such ops run on the host by design
  console.warn(
    `tfjs-grootvl: ${op.name} has no kernel for the backend '${backendName}'; it runs on the CPU in plain ` +
      `JavaScript, and its tensors travel there and back.${adviceFor(backendName)}`,
  );
}

/** Our kernels for a backend are a separate module, which is easily forgotten. */
function adviceFor(backendName: string): string {
  return isBackendName(backendName) ? ` To avoid this: import 'tfjs-grootvl/${backendName}'.` : '';
}

/** tfjs passes `undefined` for optional inputs; kernels see only the given ones. */
function definedInputs<T extends TensorInfo>(
  inputs: Readonly<Record<string, T | null | undefined>>,
): Record<string, T> {
  const given: Record<string, T> = {}; // a plain loop, since this runs twice per op
  for (const name in inputs) {
    const input = inputs[name];
    if (input != null) given[name] = input;
  }
  return given;
}
