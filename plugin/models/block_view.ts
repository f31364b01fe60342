/** One block of GrootV applied to one image: its tree, and how far features travel along it. */
import {
  addN,
  buffer,
  dispose,
  div,
  mean,
  mul,
  ones,
  squeeze,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  tidy,
} from '@tensorflow/tfjs-core';
import { gridEdge } from '../graphs.js';
import type { Extent } from '../image/prepare.js';
import type { RgbImage } from '../image/rgb_image.js';
import { pathTree } from '../ops/path_tree.js';
import { type Aggregate, treeScan } from '../ops/tree_scan.js';
import { oneOf } from './checks.js';

/** The spanning tree that a block scanned: vertex v is the position (v % width, floor(v / width)) of its grid. */
export interface BlockTree {
  readonly height: number;
  readonly width: number;
  /** Vertex ids in breadth-first order. */
  readonly order: Int32Array;
  /** Position in `order` of each vertex's parent. */
  readonly parent: Int32Array;
}

/** How much each position of a block's grid contributes to one of them, the anchor. */
export interface AffinityMap {
  readonly height: number;
  readonly width: number;
  /**
   * [height * width], from 0 to 1: the product of decays along the path to the anchor, averaged over channels, and over the
   * four paths of a cross scan; 0 where the scan carries nothing to the anchor.
   */
  readonly values: Float32Array;
  /** The grid position of the requested pixel. */
  readonly anchor: { readonly x: number; readonly y: number };
}

/** The position whose affinity map is requested. */
export interface AffinityPoint {
  /** Pixel of the given image, before it is resized. */
  readonly x: number;
  readonly y: number;
  /** `raster`: uses a scan along the rows with the same decays instead. Default: the model's own scan. */
  readonly scan?: 'raster';
}

/** The outputs of a model run for one block. The view takes ownership of the tensors. */
export interface BlockScan {
  readonly height: number;
  readonly width: number;
  readonly aggregate: Aggregate;
  /** [1, V, D] float32. */
  readonly decay: Tensor3D;
  /** The paths of the scan, [1, V] int32 each: one tree, or the four of a cross scan. */
  readonly trees: readonly { readonly order: Tensor2D; readonly parent: Tensor2D }[];
  /** [1, E] float32, weights of the edges of `gridGraph(height, width)`, if a tree was chosen by them. */
  readonly edgeWeights?: Tensor2D;
  /** The image as the model saw it, and its size in pixels before it was resized. */
  readonly image: RgbImage;
  readonly given: Extent;
}

/**
 * One block of a model applied to one image, as returned by `GrootV.view`. The model has already run: each query costs one
 * scan of a tree. The decays stay on the backend until {@link dispose}.
 */
export class BlockView {
  private constructor(
    private readonly scan: BlockScan,
    /** The tree that was scanned; for a raster scan, that of its path; undefined for the four paths of a cross scan. */
    readonly tree: BlockTree | undefined,
    /**
     * [V], in the order of `tree.order`: dissimilarity of the features of each vertex and its parent, by the metric of the
     * model (cosine: from -1, alike, to 1), 0 for the root. The tree minimises the sum of these weights. Undefined if the
     * tree was not chosen by features: raster and cross scans.
     */
    readonly dissimilarity: Float32Array | undefined,
  ) {}

  /**
   * Reads the small results from the backend.
   * @throws {unknown} the signal's reason if it is aborted; the tensors are freed.
   * @internal
   */
  static async of(scan: BlockScan, signal?: AbortSignal): Promise<BlockView> {
    const { height, width, trees, edgeWeights } = scan;
    try {
      let tree: BlockTree | undefined;
      if (trees.length === 1) {
        const [order, parent] = await Promise.all([trees[0].order.data(), trees[0].parent.data()]);
        tree = { height, width, order: order as Int32Array, parent: parent as Int32Array };
      }
      const weights = (await edgeWeights?.data()) as Float32Array | undefined;
      signal?.throwIfAborted();
      edgeWeights?.dispose();
      return new BlockView(scan, tree, tree && weights && weightsToParents(tree, weights));
    } catch (error) {
      dispose(tensorsOf(scan));
      throw error;
    }
  }

  /** Rows of the block's grid. */
  get height(): number {
    return this.scan.height;
  }

  /** Columns of the block's grid. */
  get width(): number {
    return this.scan.width;
  }

  /** The image as the model saw it: resized, 8 bits. */
  get image(): RgbImage {
    return this.scan.image;
  }

  /**
   * Computes how much the block's scan carries from every other position to that of a pixel: the product of decays along the
   * path between them, averaged over channels.
   * @throws {Error} one line, if the pixel is outside the image, an option is invalid, or the view has been disposed.
   */
  async affinity(point: AffinityPoint): Promise<AffinityMap> {
    checkPoint(point);
    const { height, width, given, decay } = this.scan;
    const { x, y, scan } = point;
    if (!(x >= 0 && x < given.width && y >= 0 && y < given.height)) {
      throw new Error(
        `GrootV.affinity: (${x}, ${y}) is outside the image of ${given.width} x ${given.height} pixels`,
      );
    }
    if (decay.isDisposed) throw new Error('GrootV.affinity: the view has been disposed');
    const anchor = { x: Math.floor((x * width) / given.width), y: Math.floor((y * height) / given.height) };
    const carried = tidy(() => this.carriedTo(anchor.y * width + anchor.x, scan));
    try {
      return { height, width, values: (await carried.data()) as Float32Array, anchor };
    } finally {
      carried.dispose();
    }
  }

  /** Frees the decays and the trees on the backend. Values that have been read remain available. */
  dispose(): void {
    dispose(tensorsOf(this.scan));
  }

  /** Scans a unit impulse at one vertex in the opposite direction; returns its values at all vertices, [V]. */
  private carriedTo(vertex: number, instead?: 'raster'): Tensor {
    const { height, width, decay } = this.scan;
    const trees = instead ? [pathTree(height, width)] : this.scan.trees;
    const aggregate = TRANSPOSED[instead ? 'leaves' : this.scan.aggregate];
    const [, vertices, channels] = decay.shape;
    const one = buffer([1, vertices, 1], 'float32');
    one.set(1, 0, vertex, 0);
    // Broadcast over the channels on the backend, so that V values are uploaded instead of V * D.
    const impulse = mul(one.toTensor(), ones([1, 1, channels]));
    const [first, ...others] = trees.map((tree) =>
      squeeze(mean(treeScan(impulse, decay, tree, { aggregate }), -1), [0]),
    );
    return others.length === 0 ? first : div(addN([first, ...others]), trees.length);
  }
}

/** The transpose of each scan. */
const TRANSPOSED: Readonly<Record<Aggregate, Aggregate>> = { all: 'all', root: 'leaves', leaves: 'root' };

/** @throws {Error} if it is not an object, or its scan is unknown. */
export function checkPoint(point: AffinityPoint): void {
  if (typeof point !== 'object' || point === null) {
    throw new Error(`GrootV.affinity: expected options with x and y, got ${String(point)}`);
  }
  if (point.scan !== undefined) oneOf('raster')(point.scan, 'GrootV.affinity: scan');
}

/** The weight of the edge from every vertex to its parent, in the order of the tree; 0 for the root. */
function weightsToParents({ height, width, order, parent }: BlockTree, weights: Float32Array): Float32Array {
  return Float32Array.from(order, (vertex, i) =>
    i === 0 ? 0 : weights[gridEdge(height, width, vertex, order[parent[i]])],
  );
}

function tensorsOf({ decay, trees, edgeWeights }: BlockScan): Tensor[] {
  return [
    decay,
    ...trees.flatMap(({ order, parent }) => [order, parent]),
    ...(edgeWeights ? [edgeWeights] : []),
  ];
}
