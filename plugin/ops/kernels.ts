/**
 * Where ops meet tfjs: running an op on the current backend, registering kernels, and what happens on a backend that
 * has none of ours (a fused op is composed from tfjs's own ops; an op whose results decide shapes runs on the CPU; so
 * does a tree op, with one warning).
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
import { isDifferentiable, namedSaved } from './declare.js';
import { checkInputs, completeAttributes } from './input_checks.js';
import { stopGradient } from './stop_gradient.js';

export type { HostArray };

/** What a kernel over typed arrays is called with. Outputs are zero-filled. */
export interface HostKernelArguments<D extends OpDeclaration> extends KernelArguments<D, HostArray> {
  /** Of an op with a `counted` letter: says how many rows of the outputs there are. All of them, if it is not called. */
  readonly written: (rows: number) => void;
}

/** A kernel in plain TypeScript: the specification of an op in code. */
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
/** Of a backend itself; tfjs can copy those of another, which compute where that does. */
const backendKernels = new Set<string>();

/**
 * Registers the plain TypeScript kernel of an op: as the kernel of tfjs's `cpu` backend, and as what runs on a
 * backend without a kernel of its own when the op cannot be composed from built-in ops.
 */
export function registerHostKernel<D extends OpDeclaration>(op: D, kernel: HostKernel<D>): void {
  const onHost = backendKernelOnHost(op, kernel);
  hostKernels.set(op.name, onHost as BackendKernel);
  registerBackendKernel(op, 'cpu', onHost);
}

/** A kernel over typed arrays as one of any backend: inputs are read from it, and outputs are handed to it. */
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

/** An output of an op with a `counted` letter, cut to its rows. */
function withRows({ shape, dtype }: OutputSpec, rows = shape[0]): OutputSpec {
  return { shape: rows === shape[0] ? shape : [rows, ...shape.slice(1)], dtype };
}

/**
 * The plain TypeScript kernel of an op, for a backend that runs it on the host: inputs are read from that backend,
 * one read-back each unless the host has them, and outputs are handed to it.
 * @throws {Error} when the op has none.
 */
export function hostKernelOf(op: OpDeclaration): BackendKernel {
  const kernel = hostKernels.get(op.name);
  if (!kernel) throw new Error(`${op.name}: no kernel on the host`);
  return kernel;
}

/**
 * Registers a backend's kernel for an op. The op's checks run before it, also when the kernel is called directly
 * through `tf.engine().runKernel`, and a tree is brought into breadth-first order. May be called before or after the backend is ready, and more than once.
 */
export function registerBackendKernel<D extends OpDeclaration>(
  op: D,
  backendName: string,
  kernel: BackendKernel<D>,
): void {
  // tfjs warns when a kernel is registered twice; a module that a bundler loaded twice, or a fallback of ours that
  // gives way to a real kernel, needs no warning.
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

/** Whether the op runs on `backendName` by a kernel made for it (and not composed or on the host). */
export function hasOwnKernel(op: OpDeclaration, backendName: string): boolean {
  return getKernel(op.name, backendName) != null && !fallbackKernels.has(`${op.name} ${backendName}`);
}

/**
 * The inputs whose values an op waits for on the current backend: none where that reads at once or has a kernel of its own.
 */
export function awaitedInputs(op: OpDeclaration): readonly string[] {
  return mustWaitForValues() && !backendKernels.has(`${op.name} ${getBackend()}`) ? (op.reads ?? []) : [];
}

/**
 * Runs an op on the current backend. Intermediate tensors are disposed.
 * @throws {OpError} before any kernel runs, when the inputs or attributes do not fit the declaration.
 */
export function runOp(
  op: OpDeclaration,
  inputs: Readonly<Record<string, Tensor | undefined>>,
  attributes: Attributes = {},
): Tensor[] {
  const call = check(op, inputs, attributes); // before anything else, so that a bad call changes nothing
  if (!isRecording()) return runKernelOf(op, call);
  return tidy(() => runRecorded(op, call).map(choice));
}

/** A call whose inputs and attributes fit the declaration. */
interface CheckedCall<T extends TensorInfo = Tensor> {
  readonly given: Readonly<Record<string, T>>;
  readonly attributes: Attributes;
  readonly outputs: readonly OutputSpec[];
}

/** @throws {OpError} when they do not */
function check<T extends TensorInfo>(
  op: OpDeclaration,
  inputs: Readonly<Record<string, T | null | undefined>>,
  attributes: Attributes = {},
): CheckedCall<T> {
  const given = definedInputs(inputs);
  const complete = completeAttributes(op, attributes);
  return { given, attributes: complete, outputs: checkInputs(op, given, complete) };
}

/** What `runOp` is handing to a kernel, which need not check it again. */
let handedOver: CheckedCall | undefined;

/** The call of `runOp` that these inputs and attributes are of, once. */
function takeChecked(inputs: NamedTensorInfoMap, attributes: unknown): CheckedCall<TensorInfo> | undefined {
  const call = handedOver;
  handedOver = undefined;
  return call?.given === inputs && call.attributes === attributes ? call : undefined;
}

/** Whether tfjs is recording what is run, for gradients. */
function isRecording(): boolean {
  const { gradientDepth, kernelDepth } = engine().state;
  return gradientDepth > 0 && kernelDepth === 0;
}

/**
 * Integers, such as a tree, may depend on what is differentiated: no gradient flows through a choice. tfjs's own ops
 * (`gather` by the order of a tree) fail where their indices seem to need one.
 */
function choice(tensor: Tensor): Tensor {
  return tensor.dtype === 'int32' ? stopGradient(tensor) : tensor;
}

/**
 * Runs an op so that tfjs uses its declared gradient on every backend, also where the op is composed. An op without one
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

/** What tfjs does for kernels that are not registered. Its `customGrad` computes gradients of all inputs, needed or not. */
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
 * The gradients are computed for those inputs alone that need one. What they need is saved by tensors over the same
 * data: tfjs saves clones, which are copies on its wasm backend.
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
      backwardsFunc: (dy, tensors) => compute(namedSaved(op, tensors, saved), [dy].flat(), attributes),
      inputs: Object.fromEntries(Object.entries(inputs).filter(([name]) => isDifferentiable(op, name))),
    });
    recording.state.activeTape.at(-1)?.saved.push(...kept); // tfjs frees them with the tape
    return outputs;
  } catch (error) {
    for (const tensor of kept) tensor.dispose();
    throw error;
  }
}

/** The same by `customGrad`, whose gradients can be differentiated again. tfjs has none of several outputs. */
function runDifferentiable(
  op: OpDeclaration,
  { saves, savesOutputs, compute }: GradientDeclaration,
  call: CheckedCall,
): Tensor[] {
  const given = Object.fromEntries(
    Object.entries(call.given).map(([name, tensor]) => [name, choice(tensor)]),
  );
  const differentiated = { ...call, given };
  if (op.outputNames.length > 1) return runKernelOf(op, differentiated);
  const names = Object.keys(given).filter((name) => isDifferentiable(op, name));
  const run = customGrad((...args: (Tensor | GradSaveFunc)[]) => {
    const save = args.pop() as GradSaveFunc;
    const [value] = runKernelOf(op, differentiated);
    const saved = saves.filter((name) => given[name]);
    save([...saved.map((name) => given[name]), ...(savesOutputs ? [value] : [])]);
    const gradFunc = (dy: Tensor, tensors: Tensor[]) => {
      const gradients = compute(namedSaved(op, tensors, saved), [dy], call.attributes);
      return names.map((name) => gradients[name]());
    };
    return { value, gradFunc };
  });
  return [run(...names.map((name) => given[name]))];
}

/** Runs the kernel of an op, or what stands in for it on a backend that has none. */
function runKernelOf(op: OpDeclaration, call: CheckedCall): Tensor[] {
  currentBackend(); // initialises tfjs's default backend when none has been chosen yet
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

/** Some of tfjs's own ops fail on tensors without elements, so results without any are not computed, unless recorded. */
function compose(
  run: NonNullable<OpDeclaration['compose']>,
  { given, attributes, outputs }: CheckedCall,
): Tensor[] {
  const isEmpty = engine().state.gradientDepth === 0 && outputs.every(({ shape }) => shape.includes(0));
  return isEmpty
    ? outputs.map(({ shape, dtype }) => zeros([...shape], dtype))
    : [run(given, attributes)].flat();
}

/** The values of an int32 tensor on the current backend, for the checks of an op: see `readValues`. */
export function readIds(op: string, info: TensorInfo): Int32Array {
  return readValues(op, currentBackend(), info) as Int32Array;
}

/** The values of a float32 tensor on the current backend: see `readValues`. */
export function readFloats(op: string, info: TensorInfo): Float32Array {
  return readValues(op, currentBackend(), info) as Float32Array;
}

function registerFallbackKernel(op: OpDeclaration, backendName: string): void {
  const kernel = hostKernels.get(op.name);
  if (!kernel) throw new Error(`${op.name}: no kernel for the backend '${backendName}' and none on the host`);
  registerBackendKernel(op, backendName, kernel);
  fallbackKernels.add(`${op.name} ${backendName}`);
  backendKernels.delete(`${op.name} ${backendName}`);
  if (op.reads) return; // the host is where it runs
  console.warn(
    `tfjs-grootvl: ${op.name} has no kernel for the backend '${backendName}'; it runs on the CPU in plain ` +
      `JavaScript, and its tensors travel there and back.${adviceFor(backendName)}`,
  );
}

/** Our kernels for a backend are a module of their own, which is easily forgotten. */
function adviceFor(backendName: string): string {
  return isBackendName(backendName) ? ` To avoid this: import 'tfjs-grootvl/${backendName}'.` : '';
}

/** tfjs passes `undefined` for optional inputs; kernels see only what was given. */
function definedInputs<T extends TensorInfo>(
  inputs: Readonly<Record<string, T | null | undefined>>,
): Record<string, T> {
  const given: Record<string, T> = {}; // a plain loop: this runs twice for every op
  for (const name in inputs) {
    const input = inputs[name];
    if (input != null) given[name] = input;
  }
  return given;
}
