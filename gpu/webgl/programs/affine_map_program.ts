import { PackedProgram } from '../packed.js';

/**
 * The down pass as an affine map for each vertex: y = (1 - w^2) * subtree + w * y of its parent (GrootVL, section 3.2).
 * Converts the subtree sums and the decays w to the state (1 - w^2) * subtree, w.
 */
export const affineMapProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['subtree', 'start'],
    body: `
      int index = texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]);
      vec2 sum = texelAt(subtree, subtreeTexShape, index).xy;
      vec2 weight = texelAt(start, startTexShape, index).zw;
      setOutput(vec4(sum - weight * (weight * sum), weight));
    `,
  });
