/**
 * BoruvkaMST, in one of two ways that give the same tree. `host`: the weights of a whole batch are read back at once, the
 * plain kernel builds the trees, and they stay on the host until a scan makes its tables from them (tree_tables.ts).
 * `device`: in shaders, without a read-back (device_tree.ts), including the tables.
 */
import { BoruvkaMST } from '../../plugin/ops/boruvka_mst.js';
import { deviceTree, fitsDevice } from './device_tree.js';
import { registerWebglKernel } from './kernels.js';
import { rememberDeviceTree } from './tree_passes.js';

/** Where trees are built. */
export type TreeBuilder = 'host' | 'device';

let treeBuilder: TreeBuilder = 'host';

/**
 * Sets where spanning trees are built from now on. The trees are the same.
 *
 * @param builder `host` (default): at most 1 draw and one read-back, which waits for all work previously submitted to the
 *   GPU. `device`: no read-back, some 40 draws, and scans take a few more draws, because the host does not know the depth of
 *   a tree: see gpu/webgl/README.md. Trees of one vertex, and those too large for a texture, are always built on the host.
 * @throws {Error} if it is neither.
 */
export function setTreeBuilder(builder: TreeBuilder): void {
  if (builder !== 'host' && builder !== 'device') {
    throw new Error(`setTreeBuilder: the builder is ${JSON.stringify(builder)}, expected 'host' or 'device'`);
  }
  treeBuilder = builder;
}

/** Returns where spanning trees are built. */
export function getTreeBuilder(): TreeBuilder {
  return treeBuilder;
}

registerWebglKernel(
  BoruvkaMST,
  ({ inputs, attributes, outputs, ...kernel }) => {
    const { weights, edges } = inputs;
    const [batch, numEdges] = weights.shape;
    const { numVertices } = attributes;
    const isOnDevice =
      treeBuilder === 'device' &&
      batch > 0 &&
      numVertices > 1 &&
      fitsDevice(batch, numEdges, numVertices, kernel.maxTextureSize);
    if (!isOnDevice) return kernel.runOnHost();
    const tree = deviceTree(weights, edges, attributes.root, outputs, kernel);
    rememberDeviceTree(tree, kernel);
    return [tree.edgeIndex, tree.order, tree.parent];
  },
  { exact: true },
);
