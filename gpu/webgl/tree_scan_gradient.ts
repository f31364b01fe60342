/**
 * TreeScanGradient by doubling: see plugin/cpu/tree_scan_gradient.ts for the formulas. With r = log2(depth + 1) rounded up:
 * `root` and `leaves` r + 3 draws, `all` 3r + 5; one more if channels share a decay.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { TreeScanGradient } from '../../plugin/ops/tree_scan.js';
import { registerWebglKernel } from './kernels.js';
import { PackedProgram } from './packed.js';
import { GROUPED_DECAY, TREE_STATE } from './programs/tree_state.js';
import { TreePasses } from './tree_passes.js';

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
`;

const OF_BOTH = 'setOutput(vec4(ofVertex(at.x, at.y, at.z), ofVertex(at.x, at.y + 1, at.z)));';

/**
 * ddecay[v] = Udy[v] * (y[p] - decay[v] Ux[v]) + Ux[v] * (dx[p] - decay[v] Udy[v]) of a scan over the whole tree,
 * with U the sums over subtrees (two states) and p the parent of v: see plugin/cpu/tree_scan_gradient.ts.
 */
const wholeTreeDecayGradientProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['subtreeX', 'subtreeDy', 'decay', 'y', 'dx', 'tree'],
    uniforms: { groups: 'int' },
    functions: `
      ${TREE_STATE} ${GROUPED_DECAY} ${FOR_EVERY_EDGE}
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
    `,
    body: OF_BOTH,
  });

/** The product of the values below and above an edge: ddecay[v] = below[v] * above[p] for scans in one pass. */
const onePassDecayGradientProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['below', 'above', 'tree'],
    functions: `
      ${TREE_STATE} ${FOR_EVERY_EDGE}
      vec2 gradientOf(int batch, int vertex, int position, int parent, int channel) {
        return rowAt(below, belowTexShape, batch, vertex, channel) * rowAt(above, aboveTexShape, batch, parent, channel);
      }
    `,
    body: OF_BOTH,
  });

/** Sums the gradients of channels, [B, V, D], over those that share a decay, [B, V, groups]. */
const groupSumProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['slope'],
    uniforms: { width: 'int' },
    functions: `
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
    `,
    body: `
      vec2 first = sumOf(at.x, at.y, at.z);
      vec2 second = sumOf(at.x, at.y, at.z + 1);
      setOutput(vec4(first.x, second.x, first.y, second.y));
    `,
  });

registerWebglKernel(
  TreeScanGradient,
  ({ inputs, attributes: { aggregate }, ...kernel }) => {
    const { x, decay, order, parent, y, dy } = inputs;
    const { draw } = kernel;
    const [, , channels] = x.shape;
    const [, , groups] = decay.shape;
    const passes = new TreePasses({ order, parent }, x.shape, kernel);
    const overGroups = (slope: TensorInfo) =>
      groups === channels ? slope : draw(groupSumProgram([...decay.shape]), [slope], [channels / groups]);
    const onePass = (below: TensorInfo, above: TensorInfo) =>
      overGroups(draw(onePassDecayGradientProgram(x.shape), [below, above, passes.tree]));

    const startDy = passes.gather(dy, decay);
    if (aggregate === 'root') {
      const dx = passes.scatter(passes.spread(startDy));
      return [dx, onePass(y, dx)];
    }
    if (aggregate === 'leaves') {
      const dx = passes.scatter(passes.subtreeSums(startDy, 'release'));
      return [dx, onePass(dx, y)];
    }
    const subtreeDy = passes.subtreeSums(startDy, 'keep');
    const dx = passes.scatter(passes.wholeTreeSums(subtreeDy, startDy));
    const startX = passes.gather(x, decay);
    const subtreeX = passes.subtreeSums(startX, 'release');
    const gradient = wholeTreeDecayGradientProgram(x.shape);
    return [dx, overGroups(draw(gradient, [subtreeX, subtreeDy, decay, y, dx, passes.tree], [groups]))];
  },
  { exact: true },
);
