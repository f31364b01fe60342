/**
 * BoruvkaMST, in one of two ways that give the same tree. `host`: the weights of a whole batch come down in one
 * read-back, the plain kernel makes the trees, and they stay on the host until a scan makes its tables of them
 * (tree_tables.ts). `device`: in shaders, without a read-back (device_tree.ts), also for the tables.
 */
import { BoruvkaMST } from '../../plugin/ops/boruvka_mst.js';
import { deviceTree, fitsDevice } from './device_tree.js';
import { registerWebglKernel } from './kernels.js';
import { rememberDeviceTree } from './tree_passes.js';

/** Where trees are made. */
export type TreeBuilder = 'host' | 'device';

let treeBuilder: TreeBuilder = 'host';

/**
 * Says where spanning trees are made from now on. The trees are the same.
 *
 * @param builder `host` (default): 1 draw at most and one read-back, which waits for all that the GPU was given
 *     before. `device`: no read-back, some 40 draws, and scans take a few more draws, as the host does not know how
 *     deep a tree is: see gpu/webgl/README.md. Trees of one vertex, and those too large for a texture, are made on
 *     the host in either case.
 * @throws {Error} when it is neither.
 */
export function setTreeBuilder(builder: TreeBuilder): void {
  if (builder !== 'host' && builder !== 'device') {
    throw new Error(`setTreeBuilder: the builder is ${JSON.stringify(builder)}, expected 'host' or 'device'`);
  }
  treeBuilder = builder;
}

/** Where spanning trees are made. */
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
