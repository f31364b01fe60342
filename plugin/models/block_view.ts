/** What one block of GrootV does with one picture: its tree, and what travels along it. */
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

/** The spanning tree that a block scanned: vertex v is the place (v % width, floor(v / width)) of its grid. */
export interface BlockTree {
  readonly height: number;
  readonly width: number;
  /** Vertex ids in breadth-first order. */
  readonly order: Int32Array;
  /** Position in `order` of each vertex's parent. */
  readonly parent: Int32Array;
}

/** How much of every place of a block's grid reaches one of them. */
export interface AffinityMap {
  readonly height: number;
  readonly width: number;
  /**
   * [height * width], from 0 to 1: the product of decays along the path to the anchor, mean over channels, and over the
   * four paths of a cross scan; 0 where the scan carries nothing to the anchor.
   */
  readonly values: Float32Array;
  /** The place of the grid that was asked about. */
  readonly anchor: { readonly x: number; readonly y: number };
}

/** The place that an affinity map is of. */
export interface AffinityPoint {
  /** Pixel of the picture that is given, before it is resized. */
  readonly x: number;
  readonly y: number;
  /** `raster`: what a scan along the rows would carry instead, by the same decays. Default: the model's own scan. */
  readonly scan?: 'raster';
}

/** What a run of the model gives of a block. The tensors become the view's. */
export interface BlockScan {
  readonly height: number;
  readonly width: number;
  readonly aggregate: Aggregate;
  /** [1, V, D] float32. */
  readonly decay: Tensor3D;
  /** The paths of the scan, [1, V] int32 each: one tree, or four of a cross scan. */
  readonly trees: readonly { readonly order: Tensor2D; readonly parent: Tensor2D }[];
  /** [1, E] float32, of the edges of `gridGraph(height, width)`, where a tree was made of them. */
  readonly edgeWeights?: Tensor2D;
  /** The picture as the model saw it, and the size that it was given in, pixels. */
  readonly image: RgbImage;
  readonly given: Extent;
}

/**
 * One block of a model over one picture, as `GrootV.view` gives it. The model has run: what is asked here costs one scan
 * of a tree. The decays of all places stay on the backend until {@link dispose}.
 */
export class BlockView {
  private constructor(
    private readonly scan: BlockScan,
    /** The tree that was scanned, that of a path in a model with a raster scan; undefined for the four of a cross scan. */
    readonly tree: BlockTree | undefined,
    /**
     * [V], in the order of `tree.order`: how unlike the features of a vertex and of its parent are, by the metric of the
     * model (cosine: from -1, alike, to 1), 0 for the root. These weights made the tree minimal. Undefined where the tree was
     * not made of features: raster and cross scans.
     */
    readonly dissimilarity: Float32Array | undefined,
  ) {}

  /**
   * Reads what can be read at once.
   * @throws {unknown} the signal's reason when it is aborted; the tensors are freed
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

  /** The picture as the model saw it: resized, 8 bits. */
  get image(): RgbImage {
    return this.scan.image;
  }

  /**
   * What the scan of the block would carry from every other position to that of a pixel: the product of decays along the
   * path between them, mean over channels.
   * @throws {Error} one line, when the pixel is outside the picture, an option is not as described, or the view has been
   * disposed.
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

  /** Frees the decays and the trees on the backend. What has been read stays. */
  dispose(): void {
    dispose(tensorsOf(this.scan));
  }

  /** What a scan of one vertex's own unit carries, in the opposite direction, to all vertices: [V]. */
  private carriedTo(vertex: number, instead?: 'raster'): Tensor {
    const { height, width, decay } = this.scan;
    const trees = instead ? [pathTree(height, width)] : this.scan.trees;
    const aggregate = TRANSPOSED[instead ? 'leaves' : this.scan.aggregate];
    const [, vertices, channels] = decay.shape;
    const one = buffer([1, vertices, 1], 'float32');
    one.set(1, 0, vertex, 0);
    // Spread over the channels on the backend, so that V values are uploaded and not V * D.
    const impulse = mul(one.toTensor(), ones([1, 1, channels]));
    const [first, ...others] = trees.map((tree) =>
      squeeze(mean(treeScan(impulse, decay, tree, { aggregate }), -1), [0]),
    );
    return others.length === 0 ? first : div(addN([first, ...others]), trees.length);
  }
}

/** The scan that takes back to a vertex what a scan takes from it: the transpose. */
const TRANSPOSED: Readonly<Record<Aggregate, Aggregate>> = { all: 'all', root: 'leaves', leaves: 'root' };

/** @throws {Error} when it is no object, or its scan is none */
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
