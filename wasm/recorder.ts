/**
 * Records the calls of a computation and replays them: functions of kernels and their arguments, without tfjs's executor, its
 * checks and its allocations. Inputs are copied into memory of the recording, outputs out of it.
 */
import {
  backend as currentBackend,
  engine,
  env,
  type KernelBackend,
  type Tensor,
  type TensorInfo,
  tidy,
} from '@tensorflow/tfjs-core';
import { onDisposal } from '../plugin/kernels/per_tensor_cache.js';
import {
  type Computation,
  type Recorder,
  registerRecorder,
  takingChecks,
} from '../plugin/kernels/recorders.js';
import {
  type InputCheck,
  type RecordingBackend,
  Recordings,
  takesInputChecks,
} from '../plugin/kernels/recordings.js';
import type { HostArray } from '../plugin/kernels/values.js';
import { CallRecorder } from './call_recorder.js';
import { heapOfBackend, type TfjsHeap } from './heap.js';
import { type Host, knownHost } from './host.js';
import { copy, isStorable, KernelObserver, type StoredTensor, stored } from './kernel_observer.js';
import { BlockPool, RecordingMemory } from './recording_memory.js';
import { BACKEND } from './tfjs_start.js';
import { PART_FLAG } from './threads.js';

interface Recording {
  readonly observer: KernelObserver;
  readonly memory: RecordingMemory;
  readonly steps: readonly (() => void)[];
  readonly inputs: readonly StoredTensor[];
  readonly outputs: readonly StoredTensor[];
  readonly checks: readonly InputCheck[];
  /** Data of the weights. */
  readonly weights: readonly object[];
  /** Data of the tensors that it reads. It is dropped when one of them is disposed, and would otherwise remain for ever. */
  readonly tiedTo: readonly object[];
  /** How kernels split their work. */
  readonly split: string;
}

class WasmRecordings implements RecordingBackend<Recording> {
  private readonly pool: BlockPool;
  /** Recordings by the data of tensors that they read. */
  private readonly readers = new Map<object, Set<Recording>>();

  constructor(
    private readonly backend: KernelBackend,
    private readonly host: Host,
    private readonly heap: TfjsHeap,
  ) {
    this.pool = new BlockPool(heap.direct);
    onDisposal(backend, (dataId) => {
      for (const recording of [...(this.readers.get(dataId) ?? [])]) this.drop(recording);
    });
  }

  canRun(inputs: readonly Tensor[]): boolean {
    if (this.host.recording) return false;
    return inputs.every(
      ({ dataId, dtype, size }) =>
        size > 0 && (dtype === 'float32' || dtype === 'int32') && this.heap.has(dataId),
    );
  }

  isCurrent({ memory, weights, split }: Recording, now: readonly Tensor[]): boolean {
    const areSame = now.length === weights.length && now.every(({ dataId }, i) => dataId === weights[i]);
    return memory.isValid && areSame && split === this.split();
  }

  record({ inputs, weights, compute }: Computation): { outputs?: Tensor[]; made?: Recording } {
    const { host, heap, backend } = this;
    const memory = new RecordingMemory(this.pool);
    const calls = new CallRecorder(host.exports, host.threads, memory);
    const observer = new KernelObserver(backend, heap, calls, memory);
    const checks: InputCheck[] = [];
    let given: StoredTensor[] = [];
    let results: StoredTensor[] = [];
    const run = () =>
      tidy(() => {
        const copies = inputs.map(({ shape, dtype }) => {
          const dataId = backend.write(null as unknown as HostArray, shape, dtype);
          return engine().makeTensorFromTensorInfo({ dataId, shape, dtype });
        });
        given = copies.map((copy) => stored(heap, copy));
        this.fill(given, inputs);
        const taker = takesInputChecks(copies, inputs, checks, () => calls.refuse());
        const computed = takingChecks(taker, () => compute(copies));
        if (!computed.every(isStorable)) calls.refuse();
        if (calls.isRefused) return computed;
        results = computed.map((result) => stored(heap, result));
        return calls.paused(() => this.copiesOf(results));
      });
    host.recording = calls;
    let outputs: Tensor[] | undefined;
    try {
      outputs = observer.watch(run);
    } finally {
      host.recording = undefined;
      memory.finish();
      if (!outputs) {
        observer.dispose();
        memory.drop();
      }
    }
    const tiedTo = calls.given.size > 0 ? [...calls.given] : weights.map(({ dataId }) => dataId);
    const made: Recording = {
      ...{ observer, memory, steps: calls.steps, inputs: given, outputs: results, checks, tiedTo },
      ...{ weights: weights.map(({ dataId }) => dataId), split: this.split() },
    };
    if (calls.isRefused || !memory.isValid || tiedTo.length === 0) {
      this.drop(made);
      return { outputs };
    }
    for (const dataId of tiedTo) {
      const readers = this.readers.get(dataId) ?? new Set();
      this.readers.set(dataId, readers.add(made));
    }
    return { outputs, made };
  }

  replay({ steps, inputs, outputs, checks }: Recording, given: readonly Tensor[]): Tensor[] {
    for (const check of checks) check(given);
    this.fill(inputs, given);
    for (const step of steps) step();
    return this.copiesOf(outputs);
  }

  drop(recording: Recording): void {
    for (const dataId of recording.tiedTo) {
      const readers = this.readers.get(dataId);
      readers?.delete(recording);
      if (readers?.size === 0) this.readers.delete(dataId);
    }
    recording.observer.dispose();
    recording.memory.drop();
  }

  private split(): string {
    return `${this.host.threads.size} ${env().getNumber(PART_FLAG)}`;
  }

  private fill(targets: readonly StoredTensor[], tensors: readonly TensorInfo[]): void {
    const { heap } = this;
    for (const [i, { address }] of targets.entries()) copy(heap, stored(heap, tensors[i]), address);
  }

  private copiesOf(tensors: readonly StoredTensor[]): Tensor[] {
    return tensors.map((tensor) => {
      const [shape, { dtype }] = [[...tensor.shape], tensor];
      const dataId = this.backend.write(null as unknown as HostArray, shape, dtype);
      copy(this.heap, tensor, this.heap.input({ dataId, shape, dtype }));
      return engine().makeTensorFromTensorInfo({ dataId, shape, dtype });
    });
  }
}

const recorders = new WeakMap<KernelBackend, Recorder>();

/** Undefined where tensors are copied, and before the kernels have started. */
function recorderOn(backend: KernelBackend): Recorder | undefined {
  const known = recorders.get(backend);
  const host = knownHost(backend);
  if (known || !host?.heap.inPlace) return known;
  const recorder = new Recordings(new WasmRecordings(backend, host, heapOfBackend(backend) as TfjsHeap));
  recorders.set(backend, recorder);
  return recorder;
}

registerRecorder(BACKEND, {
  run: (computation) =>
    recorderOn(currentBackend())?.run(computation) ?? computation.compute(computation.inputs),
});
