/** Measures the cost of a computation on the GPU: draws, read-backs and uploads, counted at the WebGL context itself. */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { findBackend } from '@tensorflow/tfjs-core';

/** Counts of WebGL calls. */
export interface GpuCounts {
  /** drawElements and drawArrays. */
  readonly draws: number;
  /** readPixels and getBufferSubData calls that copy values to the host. */
  readonly readBacks: number;
  readonly uploads: number;
  readonly uploadedBytes: number;
}

/** Counts all work on the GPU of tfjs's `webgl` backend during `run`, whoever requests it. */
export async function countGpuWork<T>(run: () => T | Promise<T>): Promise<{ result: T; counts: GpuCounts }> {
  const { gl } = (findBackend('webgl') as MathBackendWebGL).getGPGPUContext();
  const context = gl as WebGL2RenderingContext;
  const counts = { draws: 0, readBacks: 0, uploads: 0, uploadedBytes: 0 };
  const restore = [
    observe(context, 'drawElements', () => counts.draws++),
    observe(context, 'drawArrays', () => counts.draws++),
    observe(context, 'readPixels', (args) => {
      // Reading into a GPU buffer does not wait; getBufferSubData follows.
      if (ArrayBuffer.isView(args[6])) counts.readBacks++;
    }),
    observe(context, 'getBufferSubData', () => counts.readBacks++),
    ...(['texSubImage2D', 'texImage2D'] as const).map((name) =>
      observe(context, name, (args) => {
        const pixels = args[8];
        if (!ArrayBuffer.isView(pixels)) return;
        counts.uploads++;
        counts.uploadedBytes += pixels.byteLength;
      }),
    ),
  ];
  try {
    return { result: await run(), counts };
  } finally {
    for (const undo of restore) undo();
  }
}

type Calls =
  | 'drawElements'
  | 'drawArrays'
  | 'readPixels'
  | 'getBufferSubData'
  | 'texSubImage2D'
  | 'texImage2D';

function observe(gl: WebGL2RenderingContext, name: Calls, seen: (args: unknown[]) => void): () => void {
  const original = gl[name] as (...args: unknown[]) => void;
  Object.defineProperty(gl, name, {
    configurable: true,
    value: (...args: unknown[]) => {
      seen(args);
      original.apply(gl, args);
    },
  });
  return () => Reflect.deleteProperty(gl, name);
}
