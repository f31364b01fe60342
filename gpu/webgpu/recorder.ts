/**
 * Records the dispatches of a computation and replays them: their pipelines, bind groups and sizes, in one pass, without
 * tfjs's executor, its checks and its allocations. Inputs are copied into buffers of the recording, outputs out of them.
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
  type Computation,
  type Recorder,
  registerRecorder,
  takingChecks,
} from '../../plugin/kernels/recorders.js';
import {
  type InputCheck,
  NotRecordable,
  type RecordingBackend,
  Recordings,
  takesInputChecks,
} from '../../plugin/kernels/recordings.js';
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { inErrorScopes, isStale, throwIfLost } from './device.js';
import { type Encoding, noteDispatches, type Step, submitAll } from './recording_encoder.js';
import { RecordingMemory, SharedPool } from './recording_memory.js';
import { DEBUG_FLAG, runnerOf } from './runner.js';
import { BACKEND } from './start.js';

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
  readonly checks: readonly InputCheck[];
}

class WebgpuRecordings implements RecordingBackend<Recording> {
  private readonly pool: SharedPool;

  constructor(private readonly backend: WebGPUBackend) {
    runnerOf(backend); // watches the device, below the pool of recordings
    this.pool = new SharedPool(backend);
  }

  /** Timings need the computation; tensors elsewhere, and empty ones, have no buffers here. */
  canRun(inputs: readonly Tensor[]): boolean {
    const { activeTimers } = this.backend as unknown as { readonly activeTimers?: unknown };
    if (activeTimers || this.pool.recording) return false;
    return inputs.every(
      ({ dataId, dtype, size }) =>
        size > 0 && (dtype === 'float32' || dtype === 'int32') && this.backend.tensorMap.has(dataId),
    );
  }

  /** Buffers that were acquired during an error may not exist. */
  isCurrent({ memory, inputs, weights }: Recording, now: readonly Tensor[]): boolean {
    const areSame = now.length === weights.length && now.every(({ dataId }, i) => dataId === weights[i]);
    return memory.isValid && areSame && !inputs.some((buffer) => isStale(this.backend, buffer));
  }

  private inScopes<Result>(run: () => Result): Result {
    throwIfLost(this.backend);
    return env().getBool(DEBUG_FLAG) ? inErrorScopes(this.backend, 'a recording', run) : run();
  }

  record(computation: Computation): { outputs?: Tensor[]; made?: Recording } {
    return this.inScopes(() => this.recordNow(computation));
  }

  drop({ memory }: Recording): void {
    memory.drop();
  }

  private recordNow({ inputs, weights, compute }: Computation): { outputs?: Tensor[]; made?: Recording } {
    const { backend, pool } = this;
    const memory = new RecordingMemory(pool);
    const given = inputs.map((input) => this.bufferOf(input));
    let outputs: Tensor[] = [];
    let taken: readonly Output[] = [];
    let staged: GPUBuffer[] = [];
    const checks: InputCheck[] = [];
    const refuse = (reason: string) => {
      throw new NotRecordable(reason);
    };
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
          const results = takingChecks(takesInputChecks(copies, inputs, checks, refuse), () =>
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

  replay(recording: Recording, given: readonly Tensor[]): Tensor[] {
    return this.inScopes(() => this.replayNow(recording, given));
  }

  private replayNow({ steps, inputs, outputs, checks }: Recording, given: readonly Tensor[]): Tensor[] {
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

const recorders = new WeakMap<WebGPUBackend, Recorder>();

registerRecorder(BACKEND, {
  run: (computation) => {
    const backend = currentBackend() as WebGPUBackend;
    const recorder = recorders.get(backend) ?? new Recordings(new WebgpuRecordings(backend));
    recorders.set(backend, recorder);
    return recorder.run(computation);
  },
});
