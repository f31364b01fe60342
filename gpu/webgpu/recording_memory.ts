/**
 * Buffers of recordings. A recording is replayed with its original bind groups, so it owns the buffers in them: it reuses
 * those of tensors that were disposed of while it was made, as the backend would have, and releases them when it is dropped.
 * If a buffer that it does not own (of a weight) is released, the recording becomes invalid.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { markWritten } from './device.js';

export class RecordingMemory {
  /** Whether it may be replayed. */
  isValid = true;
  private readonly free = new Map<string, GPUBuffer[]>();
  /** Filled by the host once, and never reused. */
  private readonly filled = new Set<GPUBuffer>();
  private readonly inUse = new Set<GPUBuffer>();
  private readonly owned = new Set<GPUBuffer>();

  constructor(private readonly pool: SharedPool) {}

  acquire(size: number, usage: number, mapped: boolean): GPUBuffer {
    const isFilled = mapped || (usage & GPUBufferUsage.UNIFORM) !== 0;
    const known = isFilled ? undefined : this.free.get(`${size}_${usage}`)?.pop();
    const buffer = known ?? this.pool.acquire(size, usage, mapped);
    if (isFilled) this.filled.add(buffer);
    this.inUse.add(buffer);
    this.owned.add(buffer);
    this.pool.owners.set(buffer, this);
    return buffer;
  }

  release(buffer: GPUBuffer): void {
    this.inUse.delete(buffer);
    if (this.filled.has(buffer)) return;
    const key = `${buffer.size}_${buffer.usage}`;
    const free = this.free.get(key);
    if (free) free.push(buffer);
    else this.free.set(key, [buffer]);
  }

  /** Completes the recording. Buffers still in use outlive it, for example those that a kernel caches with a weight. */
  finish(bound: ReadonlySet<GPUBuffer>): void {
    this.disown();
    for (const buffer of bound) if (!this.owned.has(buffer)) this.pool.watch(buffer, this);
  }

  /** Releases all buffers. */
  drop(): void {
    if (!this.isValid) return;
    this.isValid = false;
    this.disown();
    for (const buffer of this.owned) {
      this.pool.owners.delete(buffer);
      this.pool.release(buffer);
    }
    this.owned.clear();
  }

  private disown(): void {
    for (const buffer of this.inUse) {
      this.owned.delete(buffer);
      this.pool.owners.delete(buffer);
    }
    this.inUse.clear();
  }
}

/** Wraps tfjs's pool of buffers: while a recording is made, it owns the buffers that are acquired. */
export class SharedPool {
  recording: RecordingMemory | undefined;
  readonly acquire: (size: number, usage: number, mapped: boolean) => GPUBuffer;
  readonly release: (buffer: GPUBuffer) => void;
  readonly owners = new WeakMap<GPUBuffer, RecordingMemory>();
  /** Recordings that use a buffer which they do not own. */
  private readonly users = new WeakMap<GPUBuffer, Set<RecordingMemory>>();

  constructor(backend: WebGPUBackend) {
    const { bufferManager } = backend;
    const acquireBuffer = bufferManager.acquireBuffer.bind(bufferManager);
    const releaseBuffer = bufferManager.releaseBuffer.bind(bufferManager);
    this.acquire = acquireBuffer;
    this.release = releaseBuffer;
    bufferManager.acquireBuffer = (size, usage, mapped = false, reuse = true) => {
      // Without `reuse` it is a staging buffer, which is destroyed after the copy.
      if (!this.recording || !reuse) return acquireBuffer(size, usage, mapped, reuse);
      const buffer = this.recording.acquire(size, usage, mapped);
      markWritten(backend, buffer);
      return buffer;
    };
    bufferManager.releaseBuffer = (buffer, reuse) => {
      const owner = this.owners.get(buffer);
      if (owner) {
        owner.release(buffer);
        return;
      }
      for (const user of this.users.get(buffer) ?? []) user.drop();
      this.users.delete(buffer);
      releaseBuffer(buffer, reuse);
    };
  }

  /** Drops a recording when a buffer is released. */
  watch(buffer: GPUBuffer, user: RecordingMemory): void {
    const users = this.users.get(buffer);
    if (users) users.add(user);
    else this.users.set(buffer, new Set([user]));
  }
}
