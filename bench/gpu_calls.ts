/** Counts calls of WebGPU by wrapping methods of its classes. */

/** Commands recorded for the GPU, by this package and by tfjs. */
export interface GpuCalls {
  readonly dispatches: number;
  readonly passes: number;
  readonly submits: number;
  /** Buffers filled by the host, and their bytes. */
  readonly uploads: number;
  readonly uploadedBytes: number;
  readonly readBacks: number;
}

/** Counts what `run` records until it returns. */
export function countGpuCalls<Result>(run: () => Result): {
  readonly result: Result;
  readonly calls: GpuCalls;
} {
  const calls = { dispatches: 0, passes: 0, submits: 0, uploads: 0, uploadedBytes: 0, readBacks: 0 };
  const upload = (bytes: number) => {
    calls.uploads++;
    calls.uploadedBytes += bytes;
  };
  const restore = [
    watched(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', () => calls.dispatches++),
    watched(GPUCommandEncoder.prototype, 'beginComputePass', () => calls.passes++),
    watched(GPUQueue.prototype, 'submit', () => calls.submits++),
    watched(GPUQueue.prototype, 'writeBuffer', (_, ...[, , data, from = 0, size]: Written) => {
      const { byteLength, BYTES_PER_ELEMENT = 1 } = data;
      upload(size === undefined ? byteLength - from * BYTES_PER_ELEMENT : size * BYTES_PER_ELEMENT);
    }),
    // tfjs fills a new buffer while it is mapped, or one that it copies from.
    watched(GPUBuffer.prototype, 'unmap', (buffer: GPUBuffer) => {
      if (!(buffer.usage & GPUBufferUsage.MAP_READ)) upload(buffer.size);
    }),
    watched(GPUBuffer.prototype, 'mapAsync', () => calls.readBacks++),
  ];
  try {
    return { result: run(), calls };
  } finally {
    for (const each of restore) each();
  }
}

type Written = [to: GPUBuffer, at: number, data: Uint8Array, from?: number, size?: number];

/** Reports calls of a method with its receiver and arguments, until the returned function is called. */
function watched<Name extends string>(
  of: Record<Name, (...args: never[]) => unknown>,
  name: Name,
  tell: (on: never, ...args: never[]) => void,
): () => void {
  const method = of[name];
  of[name] = function (this: unknown, ...args: never[]) {
    tell(this as never, ...args);
    return method.apply(this, args);
  };
  return () => {
    of[name] = method;
  };
}
