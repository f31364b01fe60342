/**
 * Non-maximum suppression, proposals and detections: pairs of boxes are compared in WebAssembly, the rest runs on the host.
 */
import type { KernelBackend } from '@tensorflow/tfjs-core';
import { classDetections, nonMaxSuppression, regionProposals } from '../plugin/kernels/detections.js';
import { apartByLabel, type Suppress } from '../plugin/kernels/suppression.js';
import type { OpDeclaration } from '../plugin/ops/declaration.js';
import { ClassDetections, NonMaxSuppression, RegionProposals } from '../plugin/ops/detections.js';
import {
  backendKernelOnHost,
  type HostKernelArguments,
  registerBackendKernel,
} from '../plugin/ops/kernels.js';
import type { WasmFunctions } from './functions.js';
import { hostOf } from './host.js';
import { BACKEND } from './tfjs_start.js';

/** Non-maximum suppression in the memory of a backend. */
export function suppressOn(backend: KernelBackend): Suppress {
  return (boxes, scores, { threshold, most, labels }) => {
    const { heap, exports } = hostOf(backend);
    const { suppress, suppress_scratch: scratchOf } = exports as unknown as WasmFunctions;
    const count = scores.length;
    const [ofBoxes, ofScores] = [16 * count, 4 * count];
    const block = heap.allocate(ofBoxes + 2 * ofScores + (scratchOf(count) >>> 0) + 16);
    try {
      const address = Math.ceil(block / 8) * 8;
      const floats = (at: number, length: number) => new Float32Array(heap.memory.buffer, at, length);
      floats(address, 4 * count).set(labels ? apartByLabel(boxes, labels) : boxes);
      floats(address + ofBoxes, count).set(scores);
      const keep = address + ofBoxes + ofScores;
      const scratch = keep + ofScores;
      const kept = suppress(address, address + ofBoxes, keep, scratch, count, threshold, most);
      return new Int32Array(heap.memory.buffer, keep, kept).slice();
    } finally {
      heap.free(block);
      heap.endCall();
    }
  };
}

function register<D extends OpDeclaration>(
  op: D,
  kernel: (args: HostKernelArguments<D>, suppress: Suppress) => void,
): void {
  registerBackendKernel(op, BACKEND, (call) =>
    backendKernelOnHost(op, (args) => kernel(args, suppressOn(call.backend)))(call),
  );
}

register(NonMaxSuppression, nonMaxSuppression);
register(RegionProposals, regionProposals);
register(ClassDetections, classDetections);
