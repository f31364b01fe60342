/** Watches tfjs while a computation is recorded: what is allocated, which kernels run, and which values the host reads. */
import {
  engine,
  getKernel,
  type KernelBackend,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  type NamedTensorMap,
  type Tensor,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { NotRecordable } from '../plugin/kernels/recordings.js';
import { sizeOf } from '../plugin/kernels/sizes.js';
import { declaredOp } from '../plugin/ops/declare.js';
import type { CallRecorder } from './call_recorder.js';
import { type Heap, replacing, type TensorView, type TfjsHeap } from './heap.js';
import type { RecordingMemory } from './recording_memory.js';
import { BACKEND } from './tfjs_start.js';

/** Kernels of tfjs whose results have shapes that depend on values. */
const OF_OTHER_SHAPES = /^(NonMaxSuppression|Ragged|Sparse|String|Unique)/;

const BYTES: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1 };

/** A tensor in memory. */
export interface StoredTensor {
  readonly address: number;
  readonly bytes: number;
  readonly shape: readonly number[];
  readonly dtype: TensorInfo['dtype'];
}

export const isStorable = ({ dtype }: Pick<TensorInfo, 'dtype'>) => dtype in BYTES;

export function stored(heap: Heap, { dataId, shape, dtype }: TensorInfo): StoredTensor {
  const bytes = BYTES[dtype] * sizeOf(shape);
  return { address: heap.input({ dataId, shape, dtype }), bytes, shape, dtype };
}

export function copy({ memory }: Heap, { address, bytes }: StoredTensor, to: number): void {
  new Uint8Array(memory.buffer).copyWithin(to, address, address + bytes);
}

export class KernelObserver {
  /** Inputs of tfjs's kernels in replays. */
  private readonly views: TensorView[] = [];
  private isInKernel = false;
  /** Whether the kernel has read computed values on the host, or written values from there. */
  private usesHost = false;
  /** Whether values of the host are being written. */
  private isConstant = false;

  constructor(
    private readonly backend: KernelBackend,
    private readonly heap: TfjsHeap,
    private readonly calls: CallRecorder,
    private readonly memory: RecordingMemory,
  ) {}

  watch<Result>(run: () => Result): Result {
    const { backend, heap, memory } = this;
    const { move, readSync } = backend;
    const { runKernel } = engine();
    const methods: Partial<KernelBackend> = {
      move: (dataId, values, ...rest) =>
        this.onMove(dataId, values, () => move.call(backend, dataId, values, ...rest)),
      readSync: (dataId, ...rest: []) => {
        this.onRead(dataId);
        return readSync.call(backend, dataId, ...rest);
      },
    };
    const observed = (name: string, inputs: NamedTensorMap, attributes?: NamedAttrMap) =>
      this.onKernel(
        name,
        inputs,
        attributes,
        () => runKernel.call(engine(), name, inputs, attributes) as Tensor | Tensor[],
      );
    const allocator = {
      allocate: (bytes: number) => this.allocate(bytes),
      free: (address: number) => memory.free(address >>> 0),
    };
    return heap.redirected(allocator, () =>
      replacing(backend, methods, () => replacing(engine(), { runKernel: observed as never }, run)),
    );
  }

  dispose(): void {
    for (const view of this.views.splice(0)) view.dispose();
  }

  private allocate(bytes: number): number {
    const { calls, memory, heap } = this;
    if (calls.isPaused || calls.isRefused) return heap.direct.allocate(bytes);
    if (this.isConstant) return memory.constantTensor(bytes);
    const address = memory.allocate(bytes);
    if (address !== undefined) return address;
    calls.refuse();
    return heap.direct.allocate(bytes);
  }

  private onMove(dataId: object, values: unknown, move: () => void): void {
    const isOfHost = values !== null && values !== undefined;
    if (isOfHost && this.isInKernel) this.usesHost = true;
    this.isConstant = isOfHost && !this.isInKernel;
    this.calls.makes(dataId, this.isConstant);
    try {
      move();
    } finally {
      this.isConstant = false;
    }
  }

  private onRead(dataId: object): void {
    if (!this.calls.isComputed(dataId)) return;
    if (this.isInKernel) this.usesHost = true;
    else this.calls.refuse();
  }

  private onKernel(
    name: string,
    inputs: NamedTensorMap,
    attributes: NamedAttrMap | undefined,
    run: () => Tensor | Tensor[],
  ): Tensor | Tensor[] {
    const { calls } = this;
    if (this.isInKernel || calls.isRefused) return run();
    const { kernels } = calls;
    this.isInKernel = true;
    this.usesHost = false;
    try {
      const results = run();
      const isOurs = calls.kernels > kernels;
      if (!isOurs) this.noteKernel(name, inputs, attributes, [results].flat());
      else if (this.usesHost) calls.refuse();
      return results;
    } finally {
      this.isInKernel = false;
    }
  }

  /** Notes a kernel of tfjs, or one of ours on the host: it is called as a whole, and its results are copied. */
  private noteKernel(
    name: string,
    given: NamedTensorMap,
    attrs: NamedAttrMap | undefined,
    results: readonly Tensor[],
  ): void {
    const { backend, heap, calls, memory } = this;
    const tensors = Object.entries(given).filter(([, tensor]) => tensor);
    const isView = ({ dataId }: TensorInfo) => tensors.some(([, tensor]) => tensor.dataId === dataId);
    if (results.every(isView)) return;
    const outputs = results.map((result) => stored(heap, result));
    const hasFixedShapes = !OF_OTHER_SHAPES.test(name) && !declaredOp(name)?.counted;
    const isOurMemory = outputs.every(({ address }, i) => isView(results[i]) || memory.owns(address));
    if (
      !hasFixedShapes ||
      !isOurMemory ||
      ![...results, ...tensors.map(([, tensor]) => tensor)].every(isStorable)
    ) {
      calls.refuse();
      return;
    }
    // Some kernels take an array.
    const inputs = (Array.isArray(given) ? [] : {}) as NamedTensorInfoMap;
    for (const [key, tensor] of tensors) inputs[key] = this.inputOf(tensor);
    const kernel = getKernel(name, BACKEND);
    calls.note(() => {
      const made = [kernel.kernelFunc({ inputs, attrs, backend })].flat();
      for (const [i, tensor] of made.entries()) {
        const isSame = `${tensor.shape}` === `${outputs[i].shape}`;
        if (isSame && !isView(results[i])) copy(heap, stored(heap, tensor), outputs[i].address);
        backend.disposeData(tensor.dataId);
        if (!isSame)
          throw new NotRecordable(`${name}: got shape [${tensor.shape}], before [${outputs[i].shape}]`);
      }
    });
  }

  /** Returns a tensor that exists when the kernel is called again. */
  private inputOf(tensor: Tensor): TensorInfo {
    const { heap, calls } = this;
    calls.reads(tensor);
    const { dataId, shape, dtype } = tensor;
    if (!calls.hasMade([tensor])) return { dataId, shape, dtype };
    const view = calls.paused(() => heap.view(heap.input(tensor), shape, dtype));
    this.views.push(view);
    return view.tensor;
  }
}
