/** The calls that benchmarks time on the current backend: ops with the timing samples of their specs. */
import { add, dispose, randomNormal, type Tensor, tensor, tidy, tile } from '@tensorflow/tfjs-core';
import type { Attributes, OpDeclaration, Tensors } from '../plugin/ops/declaration.js';
import { hasOwnKernel, runOp } from '../plugin/ops/kernels.js';
import { Random } from '../plugin/ops/spec/random.js';
import type { OpSpec, PerfSize } from '../plugin/ops/spec/spec.js';
import type { CaseTensor, CaseTensors } from '../plugin/ops/spec/tensor.js';
import { SPECS } from '../plugin/ops/specs.js';

/** The four stages of GrootV-T at 224 x 224, with the number of channels that are scanned. */
export const STAGES: readonly PerfSize[] = [
  { side: 56, channels: 160 },
  { side: 28, channels: 320 },
  { side: 14, channels: 640 },
  { side: 7, channels: 1280 },
];

/** The specs of timed ops. */
export const TIMED_SPECS = SPECS.filter(({ perf }) => perf);

/** The specs timed on a GPU: ops that read values and have no kernel there run on the CPU, some of them for seconds. */
export function specsTimedOn(backend: 'cuda' | 'webgpu'): typeof TIMED_SPECS {
  return TIMED_SPECS.filter(({ op }) => !op.reads || hasOwnKernel(op, backend));
}

const SEED = 1;

export function sizeName({ side, channels }: PerfSize): string {
  return `${side}x${side}x${channels}`;
}

/** An op with tensors of its samples. */
export interface PerfCall {
  readonly spec: OpSpec;
  readonly samples: readonly { readonly inputs: Tensors; readonly attributes?: Attributes }[];
  /** Bytes of the inputs and outputs of a call. */
  readonly bytes: number;
  /** Calls with the next sample, by name of the op, with `, root` appended for a variant of that name. */
  readonly runs: Readonly<Record<string, () => Tensor[]>>;
  dispose(): void;
}

/**
 * @param spec must have `perf`
 * @param batch number of repetitions of a one-item sample. Floats with a batch axis are left where kernels wrote them, so that on
 * a GPU they need no upload; weights and graphs are known to the host, as in a model
 */
export function perfCall(spec: OpSpec, size: PerfSize, batch = 1): PerfCall {
  const { op, perf } = spec;
  if (!perf) throw new Error(`${op.name}: its spec has no sizes to time`);
  const random = new Random(SEED, op.name);
  const drawn = Array.from({ length: perf.samples ?? 1 }, () => perf.sample(size, random));
  const first = tensorsOf(op, drawn[0].inputs, batch);
  const samples = drawn.map(({ inputs, attributes }, i) => ({
    inputs: i === 0 ? first : tensorsOf(op, inputs, batch, { inputs: drawn[0].inputs, tensors: first }),
    attributes,
  }));
  let next = 0;
  const runWith = (variant?: Attributes) => () => {
    const { inputs, attributes } = samples[next++ % samples.length];
    return runOp(op, inputs, { ...attributes, ...variant });
  };
  const variants = Object.entries(perf.variants ?? {}).map(([name, attributes]) => [
    `${op.name}, ${name}`,
    runWith(attributes),
  ]);
  const run = runWith();
  const outputs = run();
  const bytes = [...Object.values(samples[0].inputs), ...outputs].reduce(
    (sum, { size }) => sum + 4 * size,
    0,
  );
  dispose(outputs);
  return {
    ...{ spec, samples, bytes, runs: { [op.name]: run, ...Object.fromEntries(variants) } },
    dispose: () => dispose(samples.map(({ inputs }) => ({ ...inputs }))),
  };
}

/** tfjs's own addition of tensors as large as those of a scan: the cost of moving `bytes`. */
export function triadCall({ side, channels }: PerfSize, batch = 1) {
  const [a, b] = [0, 1].map(() => randomNormal([batch, side * side, channels]));
  return {
    bytes: 3 * 4 * a.size,
    run: () => [add(a, b)],
    dispose: () => dispose([a, b]),
  };
}

/** @param known a sample whose tensors are reused for inputs that are the same graph */
function tensorsOf(
  op: OpDeclaration,
  inputs: CaseTensors,
  batch: number,
  known?: { readonly inputs: CaseTensors; readonly tensors: Tensors },
): Tensors {
  const tensorOf = ([name, value]: [string, CaseTensor]) => {
    const before = known?.inputs[name].values;
    const isSame = value.dtype === 'int32' && before && value.values.every((id, i) => id === before[i]);
    if (isSame) return [name, known.tensors[name]];
    return [name, isPerItem(op, name) ? ofBatch(value, batch) : fromHost(value)];
  };
  return Object.fromEntries(Object.entries(inputs).map(tensorOf));
}

/** Whether an input has a batch axis, which is `B` in declarations, or the first of `...`. */
function isPerItem(op: OpDeclaration, input: string): boolean {
  return ['B', '...'].includes(op.inputs[input].shape[0]);
}

/** Like the weights of a model, whose values kernels may read on the host before they are uploaded. */
function fromHost({ values, shape, dtype }: CaseTensor): Tensor {
  return tensor(values, [...shape], dtype === 'int32' ? 'int32' : 'float32');
}

function ofBatch({ values, shape, dtype }: CaseTensor, repeats: number): Tensor {
  if (dtype === 'int32') {
    const repeated = new Int32Array(values.length * repeats);
    for (let item = 0; item < repeats; item++) repeated.set(values, item * values.length);
    return tensor(repeated, [shape[0] * repeats, ...shape.slice(1)], dtype);
  }
  const times = [repeats, ...shape.slice(1).map(() => 1)];
  // The addition unpacks the layout of tfjs's webgl backend, as do the ops before ours in a model.
  return tidy(() => add(tile(tensor(values, [...shape], 'float32'), times), 0));
}
