/**
 * Runs programs on tfjs's `webgpu` backend. tfjs's own way to run a program has one output and writes a uniform buffer in
 * every call; here a dispatch is recorded directly into tfjs's command encoder, in order with those of tfjs's kernels, with
 * any number of outputs. Pipelines are cached by program, uniform buffers by their numbers. Every dispatch of this package
 * goes through `Runner.dispatch`.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { env, type TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { inErrorScopes, throwIfLost, watchDevice } from './device.js';
import { WebgpuError } from './errors.js';
import { numbersOf, type Program } from './program.js';

/** Invocations per workgroup, where a kernel can choose; at most the device's limit. */
export const LANES_FLAG = 'GROOTVL_WEBGPU_LANES';
/** Workgroup memory that a kernel may use; at most the device's limit. */
export const WORKGROUP_BYTES_FLAG = 'GROOTVL_WEBGPU_WORKGROUP_BYTES';
/** Runs every dispatch in error scopes, which name the program that failed. */
export const DEBUG_FLAG = 'GROOTVL_WEBGPU_DEBUG';
/** Layers read their weights as float16: half the bytes per prediction, and an 11-bit significand. */
export const FLOAT16_WEIGHTS_FLAG = 'GROOTVL_WEBGPU_FLOAT16_WEIGHTS';
env().registerFlag(FLOAT16_WEIGHTS_FLAG, () => false);
env().registerFlag(LANES_FLAG, () => 256);
env().registerFlag(WORKGROUP_BYTES_FLAG, () => 2 ** 30);
env().registerFlag(DEBUG_FLAG, () => false);

/** A buffer that a program reads or writes: that of a tensor, or a bare one. */
export type Binding = TensorInfo | GPUBuffer;

/** One dispatch. */
export interface DispatchCall {
  /** By the names of a program's `reads` and `writes`; other names are ignored. */
  readonly bind: Readonly<Record<string, Binding | undefined>>;
  /** By the names of a program's `numbers`; other names are ignored. */
  readonly numbers?: Readonly<Record<string, number>>;
  /**
   * Along x, y, z. A single number may exceed the limit of a dimension: it is then spread over x and y, and WGSL computes
   * the index of a workgroup by `linearWorkgroup(workgroup_id, num_workgroups)`, which may exceed the number by less than a
   * row. If one is 0, nothing is dispatched.
   */
  readonly workgroups: number | readonly [number, number, number];
}

export type Dispatch = (program: Program, call: DispatchCall) => void;

/** Limits by which kernels choose their variants. */
export interface KernelLimits {
  readonly lanes: number;
  readonly workgroupBytes: number;
  readonly storageBuffers: number;
}

interface Timer {
  readonly name: string;
  readonly query: Promise<number>;
}

/** Private members in tfjs's types. Checked once, because a later version may differ. */
interface Encoding {
  readonly commandEncoder: GPUCommandEncoder;
  computePassEncoder: GPUComputePassEncoder | null;
  readonly commandQueueOwnedIds: WeakSet<object>;
  dispatchCountInPass: number;
  readonly activeTimers?: Timer[] | null;
  readonly supportTimestampQuery: boolean;
  querySet: GPUQuerySet | null;
  readonly querySetCount: number;
}
const ENCODING_FIELDS = ['commandQueueOwnedIds', 'dispatchCountInPass', 'querySetCount'] as const;

interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Maximum number of cached uniform buffers. Numbers such as a training step differ in every call. */
const MOST_UNIFORMS = 4096;
const PLACEHOLDER_BYTES = 16;

const runners = new WeakMap<WebGPUBackend, Runner>();

/** Returns the runner of a backend: created when its first kernel of ours runs, since tfjs does not report its start. */
export function runnerOf(backend: WebGPUBackend): Runner {
  const runner = runners.get(backend) ?? new Runner(backend);
  runners.set(backend, runner);
  return runner;
}

export class Runner {
  readonly device: GPUDevice;
  private readonly encoding: Encoding;
  private readonly pipelines = new Map<Program, Pipeline>();
  private readonly uniforms = new Map<string, GPUBuffer>();
  private readonly placeholders: GPUBuffer[] = [];

  constructor(readonly backend: WebGPUBackend) {
    this.device = backend.device;
    this.encoding = backend as unknown as Encoding;
    const missing = ENCODING_FIELDS.filter((field) => this.encoding[field] === undefined);
    if (missing.length > 0) {
      throw new WebgpuError(
        'INVALID_KERNEL',
        `tfjs's webgpu backend has no ${missing.join(', ')}; expected @tensorflow/tfjs-backend-webgpu 4.22`,
      );
    }
    watchDevice(backend);
  }

  get limits(): KernelLimits {
    const { limits } = this.device;
    return {
      lanes: Math.min(env().getNumber(LANES_FLAG), limits.maxComputeInvocationsPerWorkgroup),
      workgroupBytes: Math.min(env().getNumber(WORKGROUP_BYTES_FLAG), limits.maxComputeWorkgroupStorageSize),
      storageBuffers: limits.maxStorageBuffersPerShaderStage,
    };
  }

  /**
   * Records one dispatch.
   * @throws {WebgpuError} if the device has failed, or a binding is missing.
   */
  readonly dispatch: Dispatch = (program, call) => {
    throwIfLost(this.backend);
    const groups = this.groupsOf(program, call.workgroups);
    if (groups.includes(0)) return;
    const run = () => this.record(program, call, groups);
    if (env().getBool(DEBUG_FLAG)) inErrorScopes(this.backend, program.name, run);
    else run();
  };

  /** Allocates a bare buffer for kernels, with undefined contents. It counts as memory of the backend. */
  buffer(bytes: number): GPUBuffer {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return this.backend.bufferManager.acquireBuffer(Math.max(4, Math.ceil(bytes / 4) * 4), usage);
  }

  /** Releases a buffer. Earlier dispatches that use it are executed before later uses by others. */
  release(buffer: GPUBuffer): void {
    this.backend.bufferManager.releaseBuffer(buffer);
  }

  private record(program: Program, { bind, numbers = {} }: DispatchCall, groups: readonly number[]): void {
    const { pipeline, layout } = this.pipelineOf(program);
    const entries: GPUBindGroupEntry[] = program.bindings.map(({ name }, binding) => {
      const buffer = this.bufferOf(program, name, bind[name], binding);
      return { binding, resource: { buffer } };
    });
    if (program.numbers) {
      const buffer = this.uniformOf(numbersOf(program, numbers));
      entries.push({ binding: entries.length, resource: { buffer } });
    }
    const bindGroup = this.device.createBindGroup({ label: program.name, layout, entries });
    for (const { name } of program.bindings) {
      const bound = bind[name] as Binding;
      if ('dataId' in bound) this.encoding.commandQueueOwnedIds.add(bound.dataId);
    }
    this.encode(program.name, pipeline, bindGroup, groups);
  }

  /** Encodes in order with tfjs's own dispatches, like its `recordAndSubmit`. */
  private encode(
    name: string,
    pipeline: GPUComputePipeline,
    bindGroup: GPUBindGroup,
    groups: readonly number[],
  ): void {
    const { backend, encoding } = this;
    const timers = encoding.activeTimers;
    backend.ensureCommandEncoderReady();
    if (timers && encoding.supportTimestampQuery) {
      backend.endComputePassEncoder();
      encoding.querySet ??= this.device.createQuerySet({ type: 'timestamp', count: encoding.querySetCount });
      const timestampWrites = {
        querySet: encoding.querySet,
        beginningOfPassWriteIndex: 0,
        endOfPassWriteIndex: 1,
      };
      encoding.computePassEncoder = encoding.commandEncoder.beginComputePass({ timestampWrites });
    }
    encoding.computePassEncoder ??= encoding.commandEncoder.beginComputePass();
    encoding.computePassEncoder.setPipeline(pipeline);
    encoding.computePassEncoder.setBindGroup(0, bindGroup);
    encoding.computePassEncoder.dispatchWorkgroups(groups[0], groups[1], groups[2]);
    encoding.dispatchCountInPass++;
    if (timers) {
      backend.endComputePassEncoder();
      timers.push({ name, query: backend.getQueryTime() });
    } else if (encoding.dispatchCountInPass >= env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE')) {
      backend.endComputePassEncoder();
      backend.submitQueue();
    }
  }

  private groupsOf(program: Program, workgroups: DispatchCall['workgroups']): readonly number[] {
    const most = this.device.limits.maxComputeWorkgroupsPerDimension;
    let groups: readonly number[];
    if (typeof workgroups !== 'number') groups = workgroups;
    else if (workgroups <= most) groups = [workgroups, 1, 1];
    else {
      const rows = Math.ceil(workgroups / most);
      groups = [Math.ceil(workgroups / rows), rows, 1];
    }
    if (groups.every((count) => Number.isInteger(count) && count >= 0 && count <= most)) return groups;
    throw new WebgpuError(
      'INVALID_KERNEL',
      `${program.name}: ${groups.join(' x ')} workgroups, expected at most ${most} along each dimension`,
    );
  }

  private pipelineOf(program: Program): Pipeline {
    const known = this.pipelines.get(program);
    if (known) return known;
    const made = inErrorScopes(this.backend, program.name, () => this.makePipeline(program));
    this.pipelines.set(program, made);
    return made;
  }

  private makePipeline(program: Program): Pipeline {
    const { device } = this;
    const { name: label, source: code, bindings, numbers } = program;
    const { maxStorageBuffersPerShaderStage: most } = device.limits;
    if (bindings.length > most) {
      throw new WebgpuError(
        'INVALID_KERNEL',
        `${label}: ${bindings.length} storage buffers, expected at most ${most} on this device`,
      );
    }
    const types: GPUBufferBindingType[] = bindings.map(({ type }) => type);
    if (numbers) types.push('uniform');
    const layout = device.createBindGroupLayout({
      label,
      entries: types.map((type, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type },
      })),
    });
    const pipeline = device.createComputePipeline({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: { module: device.createShaderModule({ label, code }), entryPoint: 'main' },
    });
    return { pipeline, layout };
  }

  private bufferOf(program: Program, name: string, bound: Binding | undefined, binding: number): GPUBuffer {
    if (!bound) throw new WebgpuError('INVALID_KERNEL', `${program.name}: nothing is bound to ${name}`);
    if (!('dataId' in bound)) return bound;
    if (sizeOf(bound.shape) === 0) return this.placeholder(binding);
    this.backend.uploadToGPU(bound.dataId);
    const { resource } = this.backend.tensorMap.get(bound.dataId);
    if (resource instanceof GPUBuffer) return resource;
    throw new WebgpuError('INVALID_KERNEL', `${program.name}: ${name} lies in a texture, expected a buffer`);
  }

  /** For a tensor without elements, which has no buffer. Two outputs of a dispatch may not share one. */
  private placeholder(binding: number): GPUBuffer {
    this.placeholders[binding] ??= this.device.createBuffer({
      label: 'tensor without elements',
      size: PLACEHOLDER_BYTES,
      usage: GPUBufferUsage.STORAGE,
    });
    return this.placeholders[binding];
  }

  private uniformOf(words: Uint32Array): GPUBuffer {
    const key = words.join();
    const known = this.uniforms.get(key);
    if (known) return known;
    const usage = GPUBufferUsage.UNIFORM;
    const buffer = this.device.createBuffer({ size: words.byteLength, usage, mappedAtCreation: true });
    new Uint32Array(buffer.getMappedRange()).set(words);
    buffer.unmap();
    if (this.uniforms.size >= MOST_UNIFORMS) this.uniforms.clear(); // garbage collected when unused
    this.uniforms.set(key, buffer);
    return buffer;
  }
}
