/** TreeScan in plain TypeScript: two passes over the vertices in breadth-first order, O(V * D). */
import { registerHostKernel } from '../ops/kernels.js';
import { TreeScan } from '../ops/tree_scan.js';
import { scanDown, scanUp, treesOf } from './tree_passes.js';

registerHostKernel(TreeScan, ({ inputs, outputs, shapes, attributes }) => {
  const [batch, numVertices, channels] = shapes.x;
  for (const { tree, row } of treesOf(inputs, batch, numVertices, channels)) {
    const decay = row(inputs.decay);
    const y = row(outputs.y);
    y.set(row(inputs.x));
    scanUp(y, decay, tree, channels);
    if (attributes.aggregate === 'all') scanDown(y, decay, tree, channels);
  }
});
