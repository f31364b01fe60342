/** Captures everything that this package's kernels and tfjs's encode while a recording is made, and encodes it again. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { NotRecordable } from '../../plugin/kernels/recordings.js';

/** One dispatch. */
export interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly groups: readonly [number, number, number];
}

/** Private members in tfjs's types. */
export interface Encoding {
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
}

export interface Noted {
  readonly steps: readonly Step[];
  /** All buffers in the bind groups. */
  readonly buffers: ReadonlySet<GPUBuffer>;
}

/**
 * Captures every dispatch during `run`. Earlier commands are submitted before; those of `run` at the end, so that tensors
 * disposed of in it have returned their buffers.
 */
export function noteDispatches(backend: WebGPUBackend, run: () => void): Noted {
  const { device } = backend;
  const { createBindGroup } = device;
  const steps: Step[] = [];
  const buffers = new Set<GPUBuffer>();
  submitAll(backend);
  // Properties of the two objects shadow those of their classes.
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

/** Submits the encoded commands; buffers of tensors that were disposed of in the meantime are released. */
export function submitAll(backend: WebGPUBackend): void {
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
}

/** The part of an encoder that kernels use. */
function notingEncoder(encoder: GPUCommandEncoder, steps: Step[]): GPUCommandEncoder {
  const noting: Pick<GPUCommandEncoder, 'beginComputePass' | 'copyBufferToBuffer' | 'finish'> = {
    beginComputePass: (descriptor) => notingPass(encoder.beginComputePass(descriptor), steps),
    // Copies values from the host; their destination stays unchanged in replays.
    copyBufferToBuffer: encoder.copyBufferToBuffer.bind(encoder),
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
