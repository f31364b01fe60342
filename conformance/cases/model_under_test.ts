/** A converted checkpoint on the backend under test. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import { getBackend, getKernel, io } from '@tensorflow/tfjs-core';
import { type ConvertOptions, convertCheckpoint } from '../../converters/convert.js';
import { MemorySink } from '../../converters/graph/model_sink.js';
import { type GrootVTrunk, gridSize, type StemStride } from '../../plugin/models/grootv_metadata.js';
import { gridEdges } from '../../plugin/ops/spec/graphs.js';
import type { BatchOfTrees } from '../../plugin/ops/spec/rooted_tree.js';
import { NotSupported } from '../backend.js';
import type { CaseTensor } from '../case.js';
import type { CaseSource } from '../source.js';
import { type Feeds, GraphUnderTest } from './graph_under_test.js';

/** Converted once for all backends. */
export class CheckpointUnderTest {
  private artifacts: Promise<io.ModelArtifacts> | undefined;

  constructor(
    private readonly source: CaseSource,
    readonly path: string,
    private readonly options: ConvertOptions = {},
  ) {}

  /**
   * Loads the model on the current backend, passes it to `body` and disposes of it.
   * @throws {NotSupported} if the converter does not support the model
   * @throws {Error} if its file is damaged
   */
  async use<T>(body: (model: ModelUnderTest) => Promise<T>): Promise<T> {
    this.artifacts ??= this.convert();
    const artifacts = await this.artifacts;
    const model = await loadGraphModel(io.fromMemory(artifacts));
    const { node } = artifacts.modelTopology as { node: { name: string }[] };
    try {
      return await body(new ModelUnderTest(model, new Set(node.map(({ name }) => name))));
    } finally {
      model.dispose();
    }
  }

  private async convert(): Promise<io.ModelArtifacts> {
    const sink = new MemorySink();
    try {
      await convertCheckpoint(await this.source.open(this.path), sink, this.options);
    } catch (error) {
      if ((error as Error).name !== 'ArchitectureError') throw error;
      throw new NotSupported(`${this.path} cannot be converted: ${(error as Error).message}`);
    }
    return sink.artifacts() as io.ModelArtifacts;
  }
}

/** Pins the trees of the first blocks. */
export function treeFeeds(trees: readonly BatchOfTrees[]): Feeds {
  return Object.fromEntries(
    trees.flatMap(({ order, parent }, i) => [
      [`blocks_${i}/order`, order],
      [`blocks_${i}/parent`, parent],
    ]),
  );
}

/** Kernels that gradients of convolutions need; not every tfjs backend has them. */
const GRADIENT_KERNELS = [
  'Conv2DBackpropInput',
  'Conv2DBackpropFilter',
  'DepthwiseConv2dNativeBackpropInput',
  'DepthwiseConv2dNativeBackpropFilter',
];

export class ModelUnderTest extends GraphUnderTest {
  /** Channels of the first level. */
  readonly channels: number;
  private readonly depths: readonly number[];
  private readonly stemStride: StemStride | undefined;

  constructor(model: GraphModel, nodes: ReadonlySet<string>) {
    super(model, nodes);
    const metadata = model.metadata as { architecture: GrootVTrunk } | undefined;
    this.stemStride = metadata?.architecture.stemStride;
    this.channels = metadata?.architecture.channels ?? 0;
    this.depths = metadata?.architecture.depths ?? [];
  }

  /** Number of blocks in all levels. */
  get blocks(): number {
    return this.depths.reduce((total, depth) => total + depth, 0);
  }

  /** The edges of a block's grid, for images [N, H, W, 3]. */
  edgesOf(block: number, image: readonly number[]): Int32Array {
    return Int32Array.from(gridEdges(...this.gridOf(block, image)));
  }

  /** @throws {NotSupported} if the number of blocks or vertices differs from the model's */
  checkTrees(trees: readonly BatchOfTrees[], image: readonly number[]): void {
    if (trees.length > this.blocks) {
      throw new NotSupported(`the file has trees of ${trees.length} blocks, the model ${this.blocks} blocks`);
    }
    for (const [block, { order }] of trees.entries()) {
      const [height, width] = this.gridOf(block, image);
      if (order.shape[1] === height * width) continue;
      throw new NotSupported(
        `the file's tree of block ${block} has ${order.shape[1]} vertices, the model's grid ${height} x ${width}: ` +
          'the expected values are those of another model',
      );
    }
  }

  /** Height and width of a block's grid. */
  private gridOf(block: number, [, height, width]: readonly number[]): [number, number] {
    let level = 0;
    for (let first = this.depths[0]; first <= block; first += this.depths[level]) level++;
    return [gridSize(height, level, this.stemStride), gridSize(width, level, this.stemStride)];
  }

  /** Gradients of sum(dy * node `of`) with respect to the node `normalized` and named weights, in the layout of the weights. */
  async gradients(
    of: string,
    feeds: Feeds,
    dy: CaseTensor,
    weights: readonly string[],
  ): Promise<{ image: CaseTensor; weights: ReadonlyMap<string, CaseTensor> }> {
    for (const kernel of GRADIENT_KERNELS) {
      // Checked in advance: tfjs would leak the whole tape if it failed half-way.
      if (!getKernel(kernel, getBackend())) {
        throw new NotSupported(`tfjs has no kernel ${kernel} for its backend '${getBackend()}'`);
      }
    }
    const gradients = await this.gradientsOf(of, dy, feeds, ['normalized'], weights);
    return { image: gradients.get('normalized') as CaseTensor, weights: gradients };
  }
}
