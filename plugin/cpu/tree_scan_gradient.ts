/**
 * TreeScanGradient in plain TypeScript, O(V * D). With U the up pass, A the whole scan ('all'), p the parent of v:
 *
 * all:  dx = A(dy);  ddecay[v] = U(dy)[v] * (y[p] - decay[v] U(x)[v]) + U(x)[v] * (dx[p] - decay[v] U(dy)[v]).
 *       A path that crosses the edge (v, p) starts below v and ends beyond it, or the other way round.
 * root: dx = dy spread from the root to the leaves;  ddecay[v] = y[v] * dx[p].
 */
import { registerHostKernel } from '../ops/kernels.js';
import { TreeScanGradient } from '../ops/tree_scan.js';
import { scanDown, scanUp, spreadDown, treesOf } from './tree_passes.js';

registerHostKernel(TreeScanGradient, ({ inputs, outputs, shapes, attributes }) => {
  const [batch, numVertices, channels] = shapes.x;
  for (const { tree, row } of treesOf(inputs, batch, numVertices, channels)) {
    const decay = row(inputs.decay);
    const y = row(inputs.y);
    const dx = row(outputs.dx);
    const ddecay = row(outputs.ddecay);
    dx.set(row(inputs.dy));
    if (attributes.aggregate === 'root') {
      spreadDown(dx, decay, tree, channels);
      forEachEdge((v, p) => {
        ddecay[v] = y[v] * dx[p];
      });
    } else {
      const subtreeX = row(inputs.x).slice();
      scanUp(subtreeX, decay, tree, channels);
      scanUp(dx, decay, tree, channels);
      const subtreeDy = dx.slice();
      scanDown(dx, decay, tree, channels);
      forEachEdge((v, p) => {
        const beyondX = y[p] - decay[v] * subtreeX[v];
        const beyondDy = dx[p] - decay[v] * subtreeDy[v];
        ddecay[v] = subtreeDy[v] * beyondX + subtreeX[v] * beyondDy;
      });
    }

    /** Calls back with the places of v and of its parent p in a [V, D] array, for every edge and channel. */
    function forEachEdge(visit: (v: number, p: number) => void): void {
      for (let position = 1; position < numVertices; position++) {
        const v = tree.order[position] * channels;
        const p = tree.order[tree.parent[position]] * channels;
        for (let d = 0; d < channels; d++) visit(v + d, p + d);
      }
    }
  }
});
