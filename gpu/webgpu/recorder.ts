/**
 * Records the dispatches of a computation and replays them: their pipelines, bind groups and sizes, in one pass, without
 * tfjs's executor, its checks and its allocations. The first time, the computation just runs, which creates everything that
 * is made once (pipelines, packed weights); the second time it is recorded; from then on it is replayed. Inputs are copied
 * into buffers of the recording, outputs out of them.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import {
  type BackendValues,
  backend as currentBackend,
  engine,
  env,
  type Tensor,
  type TensorInfo,
  tidy,
} from '@tensorflow/tfjs-core';
import {
  type CheckTaker,
  type Computation,
  registerRecorder,
  takingChecks,
} from '../../plugin/kernels/recorders.js';
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { readValues } from '../../plugin/kernels/values.js';
import { inErrorScopes, isStale, throwIfLost } from './device.js';
import { type Encoding, NotRecordable, noteDispatches, type Step, submitAll } from './recording_encoder.js';
import { RecordingMemory, SharedPool } from './recording_memory.js';
import { DEBUG_FLAG, runnerOf } from './runner.js';
import { BACKEND } from './start.js';

/** Maximum recordings per owner. Each holds as much memory as its computation needs. */
const MOST_RECORDINGS = 2;
/** Maximum known computations (input shapes) per owner. */
const MOST_ENTRIES = 64;

/** In a buffer of the recording; or on the host, if it depends on shapes and not on values of inputs. */
interface Output {
  readonly buffer?: GPUBuffer;
  readonly values?: BackendValues;
  readonly tensor: TensorInfo;
}

interface Recording {
  readonly memory: RecordingMemory;
  readonly steps: readonly Step[];
  readonly inputs: readonly GPUBuffer[];
  readonly outputs: readonly Output[];
  /** Data of the weights. */
  readonly weights: readonly object[];
  /** Checks of input values. */
  readonly checks: readonly Check[];
}

/** @throws {OpError} if values are not as an op expects. */
type Check = (inputs: readonly TensorInfo[]) => void;

/** The state of a computation. */
interface Entry {
  recording?: Recording;
  /** Set if it depends on more than kernels, so that it cannot be recorded. */
  isHopeless?: boolean;
}

class WebgpuRecorder {
  private readonly pool: SharedPool;
  private readonly owners = new WeakMap<object, Map<string, Entry>>();

  constructor(private readonly backend: WebGPUBackend) {
    runnerOf(backend); // watches the device, below the pool of recordings
    this.pool = new SharedPool(backend);
  }

  run(computation: Computation): Tensor[] {
    const { owner, key, inputs, weights, compute } = computation;
    if (!this.canRun(inputs)) return compute(inputs);
    const entries = this.owners.get(owner) ?? new Map<string, Entry>();
    this.owners.set(owner, entries);
    const entry = entries.get(key);
    if (!entry) {
      entries.set(key, {});
      limit(entries);
      return compute(inputs);
    }
    if (entry.isHopeless) return compute(inputs);
    const isRecent = [...entries.keys()].slice(-MOST_RECORDINGS).includes(key);
    renew(entries, key, entry);
    const { recording } = entry;
    if (recording && this.isCurrent(recording, weights)) {
      return this.inScopes(() => this.replay(recording, inputs));
    }
    recording?.memory.drop();
    entry.recording = undefined;
    // Varying shapes (of what a detector keeps) would be recorded and discarded, one after another.
    if (!isRecent) return compute(inputs);
    const { outputs, made } = this.inScopes(() => this.record(computation));
    if (!made) entry.isHopeless = true;
    entry.recording = made;
    limit(entries);
    return outputs ?? compute(inputs);
  }

  /** Gradients, timings and profiles need the computation; tensors elsewhere, and empty ones, have no buffers here. */
  private canRun(inputs: readonly Tensor[]): boolean {
    const { state } = engine();
    const { activeTimers } = this.backend as unknown as { readonly activeTimers?: unknown };
    if (state.gradientDepth > 0 || state.profiling || activeTimers || this.pool.recording) return false;
    return inputs.every(
      ({ dataId, dtype, size }) =>
        size > 0 && (dtype === 'float32' || dtype === 'int32') && this.backend.tensorMap.has(dataId),
    );
  }

  /** Buffers that were acquired during an error may not exist. */
  private isCurrent({ memory, inputs, weights }: Recording, now: readonly Tensor[]): boolean {
    const areSame = now.length === weights.length && now.every(({ dataId }, i) => dataId === weights[i]);
    return memory.isValid && areSame && !inputs.some((buffer) => isStale(this.backend, buffer));
  }

  private inScopes<Result>(run: () => Result): Result {
    throwIfLost(this.backend);
    return env().getBool(DEBUG_FLAG) ? inErrorScopes(this.backend, 'a recording', run) : run();
  }

  private record({ inputs, weights, compute }: Computation): { outputs?: Tensor[]; made?: Recording } {
    const { backend, pool } = this;
    const memory = new RecordingMemory(pool);
    const given = inputs.map((input) => this.bufferOf(input));
    let outputs: Tensor[] = [];
    let taken: readonly Output[] = [];
    let staged: GPUBuffer[] = [];
    const checks: Check[] = [];
    try {
      const noted = noteDispatches(backend, () => {
        pool.recording = memory;
        tidy(() => {
          const copies = inputs.map(({ shape, dtype }) =>
            engine().makeTensorFromTensorInfo(backend.makeTensorInfo(shape, dtype)),
          );
          staged = copies.map((copy) => this.bufferOf(copy));
          for (const [i, buffer] of given.entries()) this.copy(buffer, staged[i], inputs[i]);
          // An output may be a weight, which the owner still owns.
          const results = takingChecks(this.checkTaker(copies, inputs, checks), () =>
            compute(copies).map((result) => result.clone()),
          );
          taken = results.map((result) => {
            const { shape, dtype, dataId, size } = result;
            if (size === 0) throw new NotRecordable('an output has no elements');
            const tensor = { shape, dtype, dataId };
            const { resource, values } = backend.tensorMap.get(dataId);
            return resource || !values ? { buffer: this.bufferOf(tensor), tensor } : { values, tensor };
          });
          pool.recording = undefined;
          outputs = taken.map((output) => this.copyOf(output));
          pool.recording = memory;
          return outputs;
        });
        submitAll(backend);
      });
      pool.recording = undefined;
      memory.finish(new Set([...noted.buffers, ...taken.flatMap(({ buffer }) => buffer ?? [])]));
      const made = {
        memory,
        steps: noted.steps,
        inputs: staged,
        outputs: taken,
        weights: weights.map(({ dataId }) => dataId),
        checks,
      };
      return { outputs, made };
    } catch {
      // If it is computed as usual, an actual error is reported.
      pool.recording = undefined;
      memory.drop();
      return {};
    }
  }

  /**
   * Copies have no values on the host, so the originals are checked. A tree is not only checked, but also brought into
   * another order if necessary.
   */
  private checkTaker(copies: readonly Tensor[], inputs: readonly TensorInfo[], checks: Check[]): CheckTaker {
    const copied = new Map<object, number>(copies.map(({ dataId }, i) => [dataId, i]));
    return (op, given, attributes) => {
      const names = Object.keys(given).filter(
        (name) => given[name].dtype === 'int32' && copied.has(given[name].dataId),
      );
      if (names.length === 0) return false;
      if (names.includes('order') || names.includes('parent')) throw new NotRecordable('a tree is fed');
      const check: Check = (inputs) => {
        const replaced = names.map((name) => {
          const { shape, dtype, dataId } = given[name];
          return [name, { shape, dtype, dataId: inputs[copied.get(dataId) as number].dataId }];
        });
        op.validate?.(
          { ...given, ...Object.fromEntries(replaced) },
          attributes,
          (info) => readValues(op.name, this.backend, info) as Int32Array,
        );
      };
      check(inputs);
      checks.push(check);
      return true;
    };
  }

  private replay({ steps, inputs, outputs, checks }: Recording, given: readonly Tensor[]): Tensor[] {
    const { backend } = this;
    for (const check of checks) check(given);
    for (const [i, input] of given.entries()) this.copy(this.bufferOf(input), inputs[i], input);
    const encoding = backend as unknown as Encoding;
    backend.ensureCommandEncoderReady();
    const encoder = encoding.commandEncoder as GPUCommandEncoder;
    const pass = encoder.beginComputePass();
    let last: GPUComputePipeline | undefined;
    for (const { pipeline, bindGroup, groups } of steps) {
      if (pipeline !== last) pass.setPipeline(pipeline);
      last = pipeline;
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
    }
    pass.end();
    const results = outputs.map((output) => this.copyOf(output));
    submitAll(backend);
    return results;
  }

  private bufferOf({ dataId }: TensorInfo): GPUBuffer {
    this.backend.uploadToGPU(dataId);
    const { resource } = this.backend.tensorMap.get(dataId);
    if (!(resource instanceof GPUBuffer)) throw new NotRecordable('a tensor lies in a texture');
    return resource;
  }

  private copyOf({ buffer, values, tensor: { shape, dtype } }: Output): Tensor {
    const copy = this.backend.makeTensorInfo([...shape], dtype, values?.slice());
    if (buffer) this.copy(buffer, this.bufferOf(copy), copy);
    return engine().makeTensorFromTensorInfo(copy);
  }

  private copy(from: GPUBuffer, to: GPUBuffer, { shape }: TensorInfo): void {
    this.backend.ensureCommandEncoderReady();
    this.backend.endComputePassEncoder();
    const { commandEncoder } = this.backend as unknown as Encoding;
    commandEncoder?.copyBufferToBuffer(from, 0, to, 0, 4 * sizeOf(shape));
  }
}

/** Entries are in the order of use. */
function renew(entries: Map<string, Entry>, key: string, entry: Entry): void {
  entries.delete(key);
  entries.set(key, entry);
}

/** Keeps the most recently used ones. */
function limit(entries: Map<string, Entry>): void {
  let recordings = 0;
  for (const [i, [key, entry]] of [...entries].reverse().entries()) {
    if (entry.recording && (++recordings > MOST_RECORDINGS || i >= MOST_ENTRIES)) {
      entry.recording.memory.drop();
      entry.recording = undefined;
    }
    if (i >= MOST_ENTRIES) entries.delete(key);
  }
}

const recorders = new WeakMap<WebGPUBackend, WebgpuRecorder>();

registerRecorder(BACKEND, {
  run: (computation) => {
    const backend = currentBackend() as WebGPUBackend;
    const recorder = recorders.get(backend) ?? new WebgpuRecorder(backend);
    recorders.set(backend, recorder);
    return recorder.run(computation);
  },
});
