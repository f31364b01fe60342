/** BottleneckFilter on WebAssembly. */
import { BottleneckFilter } from '../plugin/ops/bottleneck_filter.js';
import { registerWasmKernel } from './kernels.js';

/** Of bottleneck_filter.cc. */
interface Functions {
  bottleneck_filter_scratch(vertices: number): number;
  bottleneck_filter(
    x: number,
    distance: number,
    order: number,
    parent: number,
    y: number,
    vertices: number,
    channels: number,
    scale: number,
    scratch: number,
  ): void;
}

registerWasmKernel<typeof BottleneckFilter, Functions>(
  BottleneckFilter,
  ({ inputs, outputs, shapes, attributes: { zeta }, functions, scratch }) => {
    const [batch, vertices, channels] = shapes.x;
    const space = scratch(functions.bottleneck_filter_scratch(vertices) >>> 0);
    for (let b = 0; b < batch; b++) {
      const [distance, order, parent] = [inputs.distance, inputs.order, inputs.parent].map(
        (address) => address + 4 * b * vertices,
      );
      const [x, y] = [inputs.x, outputs.y].map((address) => address + 4 * b * vertices * channels);
      functions.bottleneck_filter(x, distance, order, parent, y, vertices, channels, -1 / zeta ** 2, space);
    }
  },
);
