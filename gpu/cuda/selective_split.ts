/** SelectiveSplit: selective_split.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { SelectiveSplit } from '../../plugin/ops/selective_split.js';
import { gridOf } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';

registerCudaKernel(SelectiveSplit, ({ inputs: { selected }, outputs, attributes, call }) => {
  const { step, inputGate, outputGate } = outputs;
  const size = sizeOf(selected.shape);
  const { states } = attributes;
  const given = [selected, step, inputGate, outputGate] as const;
  call.launch('selective_split', gridOf(size), ...given, size, step.shape[2], states);
});
