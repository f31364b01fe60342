import { PACKED, PackedProgram } from '../packed.js';
import { TREE_STATE } from './tree_state.js';

/** GLSL: for both vertices of a texel, with `gradientOf(batch, vertex, parent, channel)`; 0 at the root. */
const FOR_EVERY_EDGE = `
  vec2 rowAt(sampler2D tensor, ivec2 texShape, int batch, int row, int channel) {
    int index = texelIndex(batch, row, channel, outShape[1], outShape[2]);
    return rowOf(texelAt(tensor, texShape, index), row);
  }

  vec2 gradientOf(int batch, int vertex, int position, int parent, int channel);

  vec2 ofVertex(int batch, int vertex, int channel) {
    if (vertex >= outShape[1]) return vec2(0);
    ivec3 entry = treeAt(tree, treeTexShape, 0, batch, vertex, outShape[0], outShape[1]);
    return entry.z < 0 ? vec2(0) : gradientOf(batch, vertex, entry.y, entry.z, channel);
  }

  void main() {
    ivec3 at = getOutputCoords();
    setOutput(vec4(ofVertex(at.x, at.y, at.z), ofVertex(at.x, at.y + 1, at.z)));
  }
`;

/**
 * ddecay[v] = Udy[v] * (y[p] - decay[v] Ux[v]) + Ux[v] * (dx[p] - decay[v] Udy[v]) of a scan over the whole tree,
 * with U the sums over subtrees (two states) and p the parent of v: see plugin/cpu/tree_scan_gradient.ts.
 */
export class WholeTreeDecayGradientProgram extends PackedProgram {
  readonly variableNames = ['subtreeX', 'subtreeDy', 'decay', 'y', 'dx', 'tree'];
  readonly userCode = `
    ${PACKED} ${TREE_STATE} ${FOR_EVERY_EDGE}
    vec2 gradientOf(int batch, int vertex, int position, int parent, int channel) {
      int vertices = outShape[1];
      int channels = outShape[2];
      vec2 ux = stateAt(subtreeX, subtreeXTexShape, batch, position, channel, vertices, channels).xy;
      vec2 udy = stateAt(subtreeDy, subtreeDyTexShape, batch, position, channel, vertices, channels).xy;
      vec2 weight = rowAt(decay, decayTexShape, batch, vertex, channel);
      vec2 beyondX = rowAt(y, yTexShape, batch, parent, channel) - weight * ux;
      vec2 beyondDy = rowAt(dx, dxTexShape, batch, parent, channel) - weight * udy;
      return udy * beyondX + ux * beyondDy;
    }
  `;
}

/** ddecay[v] = y[v] * dx[p] of a scan over subtrees. */
export class SubtreeDecayGradientProgram extends PackedProgram {
  readonly variableNames = ['y', 'dx', 'tree'];
  readonly userCode = `
    ${PACKED} ${TREE_STATE} ${FOR_EVERY_EDGE}
    vec2 gradientOf(int batch, int vertex, int position, int parent, int channel) {
      return rowAt(y, yTexShape, batch, vertex, channel) * rowAt(dx, dxTexShape, batch, parent, channel);
    }
  `;
}
