/** Non-maximum suppression, proposals and detections in plain TypeScript. */
import { classDetections, regionProposals } from '../kernels/detections.js';
import { suppress } from '../kernels/suppression.js';
import { ClassDetections, NonMaxSuppression, RegionProposals } from '../ops/detections.js';
import { registerHostKernel } from '../ops/kernels.js';

registerHostKernel(NonMaxSuppression, ({ inputs, outputs, attributes, written }) => {
  const { boxes, scores, labels } = inputs;
  const { iouThreshold: threshold, maxOutput: most } = attributes;
  const keep = suppress(boxes as Float32Array, scores as Float32Array, { threshold, most, labels });
  outputs.keep.set(keep);
  written(keep.length);
});

registerHostKernel(RegionProposals, (args) => regionProposals(args, suppress));
registerHostKernel(ClassDetections, (args) => classDetections(args, suppress));
