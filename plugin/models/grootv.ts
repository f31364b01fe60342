/** GrootV: a converted vision model that classifies images. */
import {
  concat,
  dispose,
  softmax,
  Tensor,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  tidy,
  topk,
} from '@tensorflow/tfjs-core';
import {
  asBatch,
  batchOf,
  checkTensor,
  type ImageInput,
  type ImageTensor,
  type ModelView,
  NOT_FINITE,
  toModelView,
  toWholeInput,
  type WholeInput,
} from '../image/input.js';
import type { Extent } from '../image/prepare.js';
import type { Aggregate } from '../ops/tree_scan.js';
import {
  type AffinityMap,
  type AffinityPoint,
  type BlockScan,
  type BlockTree,
  BlockView,
  checkPoint,
} from './block_view.js';
import { GROOTV_METADATA, type GrootVMetadata, gridSize, SCAN_PATHS } from './grootv_metadata.js';
import { checkWorkingBytes, failure, ImageModel, loadImageModel, workingBytes } from './image_model.js';
import type { LoadedModel } from './loaded_model.js';
import { readMetadata } from './metadata.js';
import type { LoadOptions, ModelSource } from './model_files.js';

/** A class and its predicted probability. */
export interface Prediction {
  readonly index: number;
  /** The class's name, or its index as text if names are unknown. */
  readonly label: string;
  /** From 0 to 1. */
  readonly probability: number;
}

/** How images are prepared for `GrootV.prepare` and `GrootV.classify`. */
export interface PrepareOptions {
  /**
   * True (the default): an image is prepared as in the model's evaluation, see `metadata.preprocessing`: its short side is
   * resized and the central square is cropped. False: the pixels are used as they are, at any size.
   */
  readonly prepare?: boolean;
  /** Aborts the work between two images, with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ClassifyOptions extends PrepareOptions {
  /** Number of classes to return per image, at least 1, limited to the classes of the model. Default 5. */
  readonly top?: number;
}

/** Which block of the model to inspect, and the size of its image. */
export interface BlockOptions {
  /** Index over the whole network. Default 0. */
  readonly block?: number;
  /** Short side in pixels to which the image is resized first, without cropping. Default: not resized. */
  readonly size?: number;
  readonly signal?: AbortSignal;
}

export interface AffinityOptions extends BlockOptions, AffinityPoint {}

const NO_HEAD = 'the model has no classification head';

/** Images per prediction, whatever their size. */
const MIN_BATCH = 8;
/** The same for small images: the overhead of a prediction in JavaScript is shared, and larger batches gain little more. */
const MAX_BATCH = 64;
/** Pixels per prediction of small images: those of `MIN_BATCH` images of the usual 224 x 224. */
const BATCH_PIXELS = MIN_BATCH * 224 * 224;

/** Images of this size that are predicted at a time, so that a longer list needs no more memory. */
function batchSizeFor({ width, height }: Extent): number {
  const fitting = Math.floor(BATCH_PIXELS / (width * height));
  return Math.max(MIN_BATCH, Math.min(fitting, MAX_BATCH));
}

function extentOf(view: ModelView): Extent {
  if (!(view instanceof Tensor)) return view;
  const [, height, width] = view.shape;
  return { width, height };
}

/** A converted GrootV model. It accepts any image size; `metadata.preprocessing` says what it was trained for. */
export class GrootV extends ImageModel<GrootVMetadata> {
  /**
   * Loads a model that was written by `convertCheckpoint` or {@link save}.
   * @param source URL of its model.json (also `indexeddb://name`), any IOHandler such as `tf.io.http(url, options)` or
   *   `fileSystem(dir)` of `tfjs-grootvl/node`, or a `MemorySink`.
   * @throws {Error} one line, if it cannot be loaded or is not a GrootV model; the signal's reason if it is aborted.
   */
  static load(source: ModelSource, options: LoadOptions = {}): Promise<GrootV> {
    return loadImageModel('GrootV.load', source, options, GrootV.of);
  }

  /** @internal */
  static of(method: string, model: LoadedModel): GrootV {
    return new GrootV(model, readMetadata<GrootVMetadata>(method, model, 'GrootV', GROOTV_METADATA));
  }

  protected readonly className = 'GrootV';

  protected get usualSide(): number {
    return this.metadata.preprocessing.size;
  }

  /** Images of the model's size that `classify` predicts at a time, however many it is given: 8, or up to 64 small ones. */
  get imagesPerPrediction(): number {
    const { size } = this.metadata.preprocessing;
    return batchSizeFor({ width: size, height: size });
  }

  /** Number of blocks in the whole network. */
  get numBlocks(): number {
    return this.metadata.architecture.depths.reduce((total, depth) => total + depth, 0);
  }

  /**
   * Computes the logits [N, classes] of prepared images, [H, W, 3] or [N, H, W, 3], for example from `prepare`. The caller
   * disposes them.
   * @throws {Error} one line, if the tensor is invalid or the model has no classes.
   */
  logits(image: ImageTensor): Tensor2D {
    this.checkImages('logits');
    try {
      if (this.metadata.architecture.classes === 0) throw new Error(NO_HEAD);
      checkTensor(image, [3]);
    } catch (error) {
      throw failure('GrootV.logits', error);
    }
    return tidy(() => this.model.predict(asBatch(image)) as Tensor2D);
  }

  /**
   * Prepares images as `classify` does for the model: [N, size, size, 3] float32, RGB from 0 to 255. A tensor that already
   * has the model's size is returned unchanged. The caller disposes the result.
   * @param images one image or a list; a tensor of rank 4 is a batch of images.
   * @throws {Error} as `classify`.
   */
  async prepare(images: ImageInput | readonly ImageInput[], options: PrepareOptions = {}): Promise<Tensor4D> {
    const batches: Tensor4D[] = [];
    try {
      for await (const batch of this.batches('prepare', images, options)) batches.push(batch);
      const shapes = new Set(batches.map(({ shape }) => shape.slice(1).join(' x ')));
      if (shapes.size > 1) {
        throw new Error(`GrootV.prepare: the images have different sizes: ${[...shapes].join(', ')}`);
      }
      return tidy(() => concat(batches, 0));
    } finally {
      dispose(batches);
    }
  }

  /**
   * Returns the most probable classes of each image, by descending probability.
   * @param images one image or a list. An image is, in a page, an `<img>`, `<canvas>`, `<video>` (its current frame),
   *   OffscreenCanvas, ImageBitmap, ImageData, Blob or URL; in Node, with `tfjs-grootvl/node` imported, a path, URL, Blob or
   *   the bytes of a file; everywhere, pixels {data, width, height} or a tensor [H, W, 3], or a batch [N, H, W, 3], with
   *   values from 0 to 255. Each is prepared according to the model's metadata, tensors too, unless `prepare: false`.
   * @returns a row for each image, in order.
   * @throws {Error} one line, if the model has no classification head or has been disposed, an option or a tensor is
   *   invalid, or an image cannot be read: not loaded yet, from another origin, empty, damaged.
   */
  async classify(
    images: ImageInput | readonly ImageInput[],
    options: ClassifyOptions = {},
  ): Promise<Prediction[][]> {
    const { classes } = this.metadata.architecture;
    if (classes === 0) throw failure('GrootV.classify', NO_HEAD);
    const top = options.top ?? 5;
    if (!Number.isInteger(top) || top < 1) {
      throw new Error(`GrootV.classify: top is ${String(top)}, expected an integer of at least 1`);
    }
    const rows: Prediction[][] = [];
    for await (const batch of this.batches('classify', images, options)) {
      try {
        rows.push(...(await this.bestClasses(batch, Math.min(top, classes))));
      } finally {
        batch.dispose();
      }
    }
    return rows;
  }

  /** Estimates the peak bytes of the tensors of `view` for an image of this size in pixels. */
  workingBytes(extent: { readonly width: number; readonly height: number }): number {
    return workingBytes(extent, this.metadata.architecture);
  }

  /**
   * Inspects a block (the first by default) on one image, of the kinds that `classify` accepts: its tree, and affinities
   * that cost one scan each, fast enough to follow a pointer. The whole image is used, as it is or resized to `size`. The
   * caller disposes the view.
   * @throws {Error} one line, also for an image that would need more than 3.5 GB (`workingBytes`); the signal's reason if it
   *   is aborted.
   */
  async view(image: ImageInput, options: BlockOptions = {}): Promise<BlockView> {
    return this.viewOf('view', image, options);
  }

  /**
   * Returns the tree of a {@link view}.
   * @throws {Error} as `view`, and for a cross scan, which follows four paths.
   */
  async tree(image: ImageInput, options: BlockOptions = {}): Promise<BlockTree> {
    if (this.metadata.architecture.scan === 'cross')
      throw new Error('GrootV.tree: a cross scan goes along four paths, not along a tree');
    const view = await this.viewOf('tree', image, options);
    view.dispose();
    return view.tree as BlockTree;
  }

  /** Returns one {@link BlockView.affinity} of a {@link view}. */
  async affinity(image: ImageInput, options: AffinityOptions): Promise<AffinityMap> {
    checkPoint(options);
    const view = await this.viewOf('affinity', image, options);
    try {
      return await view.affinity(options);
    } finally {
      view.dispose();
    }
  }

  /**
   * Yields images as tensors [N, H, W, 3] with at most {@link batchSizeFor} images, unless one given tensor holds more.
   */
  private async *batches(
    method: string,
    images: ImageInput | readonly ImageInput[],
    options: PrepareOptions,
  ): AsyncGenerator<Tensor4D> {
    const { size } = this.metadata.preprocessing;
    this.checkImages(method);
    const list = images as ImageInput[];
    const several = Array.isArray(images);
    if (several && images.length === 0)
      throw failure(`GrootV.${method}`, 'expected at least one image, got an empty list');
    const group: ModelView[] = [];
    const nextBatch = () => batchOf(group.splice(0));
    try {
      for (const [i, image] of (several ? list : [images as ImageInput]).entries()) {
        const view = await toModelView(image, size, options).catch((error) => {
          const which = several ? `image ${i + 1} of ${list.length}: ` : '';
          throw failure(`GrootV.${method}`, error, which, options.signal);
        });
        const { width, height } = extentOf(view);
        const first = extentOf(group[0] ?? view);
        const fits = width === first.width && height === first.height;
        if (!fits || group.length === batchSizeFor(first)) yield nextBatch();
        group.push(view);
      }
      yield nextBatch();
    } finally {
      dispose(group.filter((view) => view instanceof Tensor));
    }
  }

  private async bestClasses(batch: Tensor4D, top: number): Promise<Prediction[][]> {
    const { values, indices } = tidy(() => topk(softmax(this.logits(batch)), top));
    const [probabilities, classIds] = await Promise.all([values.data(), indices.data()]);
    dispose([values, indices]);
    if (!probabilities.every(Number.isFinite)) {
      throw failure('GrootV.classify', NOT_FINITE);
    }
    const predictions = Array.from(classIds, (index, i) => ({
      index,
      label: this.metadata.classNames?.[index] ?? String(index),
      probability: probabilities[i],
    }));
    return Array.from({ length: batch.shape[0] }, (_, n) => predictions.slice(n * top, (n + 1) * top));
  }

  private async viewOf(method: string, original: ImageInput, options: BlockOptions): Promise<BlockView> {
    const block = this.checkBlock(method, options.block);
    const { input, image, given } = await this.wholeInput(method, original, options);
    const { aggregate, paths, weights } = this.scanOf(block);
    const names = [`blocks_${block}/decay`, ...paths.flatMap((path) => [`${path}/order`, `${path}/parent`])];
    if (weights !== undefined) names.push(weights);
    let nodes: Tensor[];
    try {
      // An output may be a weight, which the model still owns.
      nodes = tidy(() =>
        (this.model.execute({ image: input }, names) as Tensor[]).map((each) => each.clone()),
      );
    } finally {
      input.dispose();
    }
    const scan: BlockScan = {
      ...this.gridOf(input, block),
      ...{ aggregate, image, given },
      decay: nodes[0] as Tensor3D,
      trees: paths.map((_, i) => ({
        order: nodes[1 + 2 * i] as Tensor2D,
        parent: nodes[2 + 2 * i] as Tensor2D,
      })),
      edgeWeights: nodes[1 + 2 * paths.length] as Tensor2D | undefined,
    };
    return BlockView.of(scan, options.signal);
  }

  /** Returns one whole image as the model takes it, and its size before it was resized. */
  private async wholeInput(
    method: string,
    image: ImageInput,
    { size, signal }: BlockOptions,
  ): Promise<WholeInput> {
    this.checkImages(method);
    try {
      return await toWholeInput(image, size, { signal }, (extent) =>
        checkWorkingBytes(
          extent,
          this.metadata.architecture,
          'choose a smaller size (--size on the command line)',
        ),
      );
    } catch (error) {
      throw failure(`GrootV.${method}`, error, '', signal);
    }
  }

  private checkBlock(method: string, block = 0): number {
    if (Number.isInteger(block) && block >= 0 && block < this.numBlocks) return block;
    throw new Error(
      `GrootV.${method}: block is ${block}, expected an integer from 0 to ${this.numBlocks - 1}`,
    );
  }

  /** What the scan of a block sums, the nodes of its trees, and the node of the weights by which a tree was chosen. */
  private scanOf(block: number): { aggregate: Aggregate; paths: string[]; weights?: string } {
    const { depths, scan = 'tree', trees = 'block', aggregate = 'all' } = this.metadata.architecture;
    const level = this.levelOf(block);
    if (scan === 'cross')
      return { aggregate: 'leaves', paths: SCAN_PATHS.map((path) => `levels_${level}/${path}`) };
    const paths = [`blocks_${block}`];
    if (scan === 'raster') return { aggregate: 'leaves', paths };
    const first = depths.slice(0, level).reduce((total, depth) => total + depth, 0);
    const weights = `blocks_${trees === 'stage' ? first : block}/edge_weights`;
    return { aggregate, paths, weights: this.metadata.nodes?.includes(weights) ? weights : undefined };
  }

  private levelOf(block: number): number {
    const { depths } = this.metadata.architecture;
    let level = 0;
    for (let first = depths[0]; block >= first; first += depths[level]) level++;
    return level;
  }

  /** Height and width of a block's grid. */
  private gridOf(image: Tensor4D, block: number): { height: number; width: number } {
    const { stemStride } = this.metadata.architecture;
    const level = this.levelOf(block);
    const [height, width] = image.shape.slice(-3).map((pixels) => gridSize(pixels, level, stemStride));
    return { height, width };
  }
}
