/** TreeScan in plain TypeScript: one or two passes over the vertices in breadth-first order, O(V * D). */
import { registerHostKernel } from '../ops/kernels.js';
import { TreeScan } from '../ops/tree_scan.js';
import { scanDown, scanUp, spreadDown, treesOf } from './tree_passes.js';

registerHostKernel(TreeScan, ({ inputs, outputs, shapes, attributes: { aggregate } }) => {
  const [batch, numVertices, channels] = shapes.x;
  const width = { channels, groups: shapes.decay[2] };
  for (const { tree, rows } of treesOf(inputs, batch, numVertices)) {
    const decay = rows(inputs.decay, width.groups);
    const y = rows(outputs.y, channels);
    y.set(rows(inputs.x, channels));
    if (aggregate === 'leaves') {
      spreadDown(y, decay, tree, width);
    } else {
      scanUp(y, decay, tree, width);
      if (aggregate === 'all') scanDown(y, decay, tree, width);
    }
  }
});
