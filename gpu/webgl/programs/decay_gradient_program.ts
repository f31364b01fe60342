import { PACKED, PackedProgram } from '../packed.js';
import { GROUPED_DECAY, TREE_STATE } from './tree_state.js';

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
  override readonly customUniforms = [{ name: 'groups', type: 'int' as const }];
  readonly userCode = `
    ${PACKED} ${TREE_STATE} ${GROUPED_DECAY} ${FOR_EVERY_EDGE}
    vec2 gradientOf(int batch, int vertex, int position, int parent, int channel) {
      int vertices = outShape[1];
      int channels = outShape[2];
      vec2 ux = stateAt(subtreeX, subtreeXTexShape, batch, position, channel, vertices, channels).xy;
      vec2 udy = stateAt(subtreeDy, subtreeDyTexShape, batch, position, channel, vertices, channels).xy;
      vec2 weight = decayAt(decay, decayTexShape, batch, vertex, channel, vertices, channels, groups);
      vec2 beyondX = rowAt(y, yTexShape, batch, parent, channel) - weight * ux;
      vec2 beyondDy = rowAt(dx, dxTexShape, batch, parent, channel) - weight * udy;
      return udy * beyondX + ux * beyondDy;
    }
  `;
}

/** The product of what is below an edge and what is above it: ddecay[v] = below[v] * above[p] of scans in one pass. */
export class OnePassDecayGradientProgram extends PackedProgram {
  readonly variableNames = ['below', 'above', 'tree'];
  readonly userCode = `
    ${PACKED} ${TREE_STATE} ${FOR_EVERY_EDGE}
    vec2 gradientOf(int batch, int vertex, int position, int parent, int channel) {
      return rowAt(below, belowTexShape, batch, vertex, channel) * rowAt(above, aboveTexShape, batch, parent, channel);
    }
  `;
}

/** From the gradient that each channel gives, [B, V, D], to the sums over those that share a decay, [B, V, groups]. */
export class GroupSumProgram extends PackedProgram {
  readonly variableNames = ['slope'];
  override readonly customUniforms = [{ name: 'width', type: 'int' as const }];
  readonly userCode = `
    ${PACKED}
    // Of both vertices of a texel.
    vec2 sumOf(int batch, int vertex, int group) {
      vec2 sum = vec2(0);
      if (group >= outShape[2]) return sum;
      int end = (group + 1) * width;
      for (int channel = group * width; channel < end; channel++) {
        int index = texelIndex(batch, vertex, channel, outShape[1], outShape[2] * width);
        vec4 texel = texelAt(slope, slopeTexShape, index);
        sum += channel % 2 == 0 ? texel.xz : texel.yw;
      }
      return sum;
    }

    void main() {
      ivec3 at = getOutputCoords();
      vec2 first = sumOf(at.x, at.y, at.z);
      vec2 second = sumOf(at.x, at.y, at.z + 1);
      setOutput(vec4(first.x, second.x, first.y, second.y));
    }
  `;
}
