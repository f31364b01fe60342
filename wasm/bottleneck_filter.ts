/** BottleneckFilter on WebAssembly. */
import { BottleneckFilter } from '../plugin/ops/bottleneck_filter.js';
import { registerWasmKernel } from './kernels.js';
import { itemsOf } from './threads.js';

registerWasmKernel(
  BottleneckFilter,
  ({ inputs, outputs, shapes, attributes: { zeta }, functions, inParts, scratch }) => {
    const [batch, vertices, channels] = shapes.x;
    const bytes = functions.bottleneck_filter_scratch(vertices) >>> 0;
    const parts = itemsOf(batch, vertices * (100 + 3 * channels));
    const space = scratch(parts.slots * bytes);
    inParts('bottleneck_filter', parts, (item, _, slot) => {
      const [tree, values] = [4 * item * vertices, 4 * item * vertices * channels];
      return [
        ...([inputs.x + values, inputs.distance + tree, inputs.order + tree, inputs.parent + tree] as const),
        ...([outputs.y + values, vertices, channels, -1 / zeta ** 2, space + slot * bytes] as const),
      ];
    });
  },
);
