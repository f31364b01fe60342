/** Non-maximum suppression, proposals and detections in plain TypeScript. */
import { classDetections, nonMaxSuppression, regionProposals } from '../kernels/detections.js';
import { suppress } from '../kernels/suppression.js';
import { ClassDetections, NonMaxSuppression, RegionProposals } from '../ops/detections.js';
import { registerHostKernel } from '../ops/kernels.js';

registerHostKernel(NonMaxSuppression, (args) => nonMaxSuppression(args, suppress));
registerHostKernel(RegionProposals, (args) => regionProposals(args, suppress));
registerHostKernel(ClassDetections, (args) => classDetections(args, suppress));
