/**
 * TreeScanGradient in plain TypeScript, O(V * D). With U the up pass, A the whole scan ('all'), p the parent of v:
 *
 *   all:    dx = A(dy);  ddecay[v] = U(dy)[v] * (y[p] - decay[v] U(x)[v]) + U(x)[v] * (dx[p] - decay[v] U(dy)[v]).
 *           A path that crosses the edge (v, p) starts in the subtree of v and ends outside of it, or vice versa.
 *   root:   dx = dy propagated from the root to the leaves;  ddecay[v] = y[v] * dx[p].
 *   leaves: dx = U(dy);  ddecay[v] = dx[v] * y[p].
 *
 * The channels of a group share a decay: its gradient is the sum over them.
 */
import { registerHostKernel } from '../ops/kernels.js';
import { TreeScanGradient } from '../ops/tree_scan.js';
import { scanDown, scanUp, spreadDown, treesOf } from './tree_passes.js';

registerHostKernel(TreeScanGradient, ({ inputs, outputs, shapes, attributes: { aggregate } }) => {
  const [batch, numVertices, channels] = shapes.x;
  const groups = shapes.decay[2];
  const width = { channels, groups };
  for (const { tree, rows } of treesOf(inputs, batch, numVertices)) {
    const decay = rows(inputs.decay, groups);
    const ddecay = rows(outputs.ddecay, groups);
    const y = rows(inputs.y, channels);
    const dx = rows(outputs.dx, channels);
    dx.set(rows(inputs.dy, channels));
    if (aggregate === 'root') {
      spreadDown(dx, decay, tree, width);
      sumOverEdges((v, p) => y[v] * dx[p]);
    } else if (aggregate === 'leaves') {
      scanUp(dx, decay, tree, width);
      sumOverEdges((v, p) => dx[v] * y[p]);
    } else {
      const subtreeX = rows(inputs.x, channels).slice();
      scanUp(subtreeX, decay, tree, width);
      scanUp(dx, decay, tree, width);
      const subtreeDy = dx.slice();
      scanDown(dx, decay, tree, width);
      sumOverEdges((v, p, w) => {
        const beyondX = y[p] - w * subtreeX[v];
        const beyondDy = dx[p] - w * subtreeDy[v];
        return subtreeDy[v] * beyondX + subtreeX[v] * beyondDy;
      });
    }

    /** Sets ddecay to the sums over the channels of each group; v and p are indices of [V, D], w is the decay. */
    function sumOverEdges(term: (v: number, p: number, w: number) => number): void {
      const size = channels / groups;
      for (let position = 1; position < numVertices; position++) {
        const v = tree.order[position] * channels;
        const p = tree.order[tree.parent[position]] * channels;
        for (let group = 0, d = 0; d < channels; group++) {
          const edge = tree.order[position] * groups + group;
          let sum = 0;
          for (const end = d + size; d < end; d++) sum += term(v + d, p + d, decay[edge]);
          ddecay[edge] = sum;
        }
      }
    }
  }
});
