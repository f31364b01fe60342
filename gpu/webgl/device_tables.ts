/**
 * Builds the tables of tree_tables.ts on the device, for a tree that was built there. The host does not know its depth, so
 * there are as many layers as a path of V vertices needs.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { DeviceTree } from './device_tree.js';
import type { WebglKernelArguments } from './kernels.js';
import { FIRST_LAYERS, LAYERS_A_DRAW, MORE_LAYERS } from './programs/tree_table_programs.js';

/**
 * Layers 0 to log2(V) rounded up, one texture each. 1 draw, plus one for every four layers after the second.
 * @param tree [B, V] each.
 */
export function deviceTables(
  { order, parent, positions, places }: Omit<DeviceTree, 'edgeIndex'>,
  { drawPoints, flat }: Pick<WebglKernelArguments<never>, 'drawPoints' | 'flat'>,
): TensorInfo[] {
  const [batch, numVertices] = order.shape;
  const points = batch * numVertices;
  const rounds = Math.ceil(Math.log2(numVertices));
  const layers = drawPoints({
    program: FIRST_LAYERS,
    inputs: { order: flat(order), parent: flat(parent), positions, places },
    uniforms: { vertices: numVertices },
    points,
    outputs: [points, points],
  });
  while (layers.length < rounds + 1) {
    const count = Math.min(LAYERS_A_DRAW, rounds + 1 - layers.length);
    layers.push(
      ...drawPoints({
        program: MORE_LAYERS,
        inputs: { layer: layers[layers.length - 1] },
        uniforms: { vertices: numVertices, count },
        points,
        outputs: new Array(count).fill(points),
      }),
    );
  }
  return layers;
}
