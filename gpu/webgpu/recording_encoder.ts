/** Notes what is encoded while a recording is made, by this package's kernels and by tfjs's, and encodes it. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

/** One dispatch. */
export interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly groups: readonly [number, number, number];
}

/** What tfjs declares private. */
export interface Encoding {
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
}

/** Something happened that cannot be done again. */
export class NotRecordable extends Error {}

export interface Noted {
  readonly steps: readonly Step[];
  /** Every buffer of a bind group. */
  readonly buffers: ReadonlySet<GPUBuffer>;
}

/**
 * Notes every dispatch while `run` does. What was encoded before is submitted first, what `run` encodes at last, so that
 * tensors which it disposed of have given their buffers back.
 */
export function noteDispatches(backend: WebGPUBackend, run: () => void): Noted {
  const { device } = backend;
  const { createBindGroup } = device;
  const steps: Step[] = [];
  const buffers = new Set<GPUBuffer>();
  submitAll(backend);
  // Properties of the two objects hide those of their classes.
  device.createBindGroup = (descriptor) => {
    for (const { resource } of descriptor.entries) {
      if (!('buffer' in resource)) throw new NotRecordable('a kernel reads a texture');
      buffers.add(resource.buffer);
    }
    return createBindGroup.call(device, descriptor);
  };
  const encoding = backend as unknown as Encoding;
  backend.ensureCommandEncoderReady = () => {
    encoding.commandEncoder ??= notingEncoder(device.createCommandEncoder(), steps);
  };
  try {
    run();
    submitAll(backend);
  } finally {
    Reflect.deleteProperty(device, 'createBindGroup');
    Reflect.deleteProperty(backend, 'ensureCommandEncoderReady');
    submitAll(backend);
  }
  return { steps, buffers };
}

/** Submits what is encoded; buffers of tensors that were disposed of meanwhile are given back. */
export function submitAll(backend: WebGPUBackend): void {
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
}

/** As much of an encoder as kernels use. */
function notingEncoder(encoder: GPUCommandEncoder, steps: Step[]): GPUCommandEncoder {
  const noting: Pick<GPUCommandEncoder, 'beginComputePass' | 'copyBufferToBuffer' | 'finish'> = {
    beginComputePass: (descriptor) => notingPass(encoder.beginComputePass(descriptor), steps),
    // Values from the host, which stay where they are copied to.
    copyBufferToBuffer: (...args) => encoder.copyBufferToBuffer(...args),
    finish: () => encoder.finish(),
  };
  return noting as GPUCommandEncoder;
}

function notingPass(pass: GPUComputePassEncoder, steps: Step[]): GPUComputePassEncoder {
  let pipeline: GPUComputePipeline;
  let bindGroup: GPUBindGroup;
  const noting: Pick<GPUComputePassEncoder, 'setPipeline' | 'setBindGroup' | 'dispatchWorkgroups' | 'end'> = {
    setPipeline: (given) => {
      pipeline = given;
      pass.setPipeline(given);
    },
    setBindGroup: (index: number, given: GPUBindGroup | null) => {
      bindGroup = given as GPUBindGroup;
      pass.setBindGroup(index, given);
    },
    dispatchWorkgroups: (x, y = 1, z = 1) => {
      steps.push({ pipeline, bindGroup, groups: [x, y, z] });
      pass.dispatchWorkgroups(x, y, z);
    },
    end: () => pass.end(),
  };
  return noting as GPUComputePassEncoder;
}
