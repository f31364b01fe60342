/** GrootV: what a person does with a converted vision model. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import {
  buffer,
  cast,
  expandDims,
  type io,
  mean,
  mul,
  ones,
  softmax,
  squeeze,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  tidy,
  topk,
} from '@tensorflow/tfjs-core';
import { treeScan } from '../ops/tree_scan.js';
import { GROOTV_METADATA, type GrootVMetadata } from './grootv_metadata.js';
import { LoadedModel } from './loaded_model.js';
import { readMetadata } from './metadata.js';
import { type LoadOptions, type ModelSource, openSource } from './model_files.js';

/** A class and how likely the model thinks it is. */
export interface Prediction {
  readonly index: number;
  /** The class's name, or its index as text where the names are not known. */
  readonly label: string;
  /** From 0 to 1. */
  readonly probability: number;
}

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
  /** [height * width], from 0 to 1: the product of decays along the path to the anchor, mean over channels. */
  readonly values: Float32Array;
  /** The place of the grid that was asked about. */
  readonly anchor: { readonly x: number; readonly y: number };
}

/** Pixels, RGB from 0 to 255, [height, width, 3] or a batch of them; float32 or int32, as `tf.browser.fromPixels` gives. */
export type ImageTensor = Tensor3D | Tensor4D;

/** A converted GrootV model. Any image size will do; `metadata.preprocessing` says what it was trained for. */
export class GrootV {
  private constructor(
    /** The GraphModel: `predict` for logits, `execute` for any node of `metadata.nodes`. */
    readonly model: GraphModel,
    readonly metadata: GrootVMetadata,
  ) {}

  /**
   * Loads a model that `convertCheckpoint` wrote, or that {@link save} has.
   * @param source URL of its model.json (also `indexeddb://name`), any IOHandler such as `tf.io.http(url, options)` or
   *   `fileSystem(dir)` of `tfjs-grootvl/node`, or a `MemorySink`.
   * @throws {Error} one line, when it cannot be loaded or is no GrootV model; the signal's reason when it is aborted.
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<GrootV> {
    const model = await LoadedModel.open(openSource('GrootV.load', source, options));
    try {
      return new GrootV(model, readMetadata('GrootV.load', model, 'GrootV', GROOTV_METADATA));
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /** The blocks of the whole network. */
  get numBlocks(): number {
    return this.metadata.architecture.depths.reduce((total, depth) => total + depth, 0);
  }

  /** Logits [N, classes]. The caller disposes them. */
  logits(image: ImageTensor): Tensor2D {
    return tidy(() => this.model.predict(toBatch('logits', image)) as Tensor2D);
  }

  /**
   * The most probable classes of each image of a batch, the best first; one image is a batch of one.
   * @throws {Error} when the model has no classification head.
   */
  async classify(image: ImageTensor, options: { top?: number } = {}): Promise<Prediction[][]> {
    const { classes } = this.metadata.architecture;
    if (classes === 0) throw new Error('GrootV.classify: the model has no classification head');
    const top = Math.min(options.top ?? 5, classes);
    const { values, indices } = tidy(() => topk(softmax(this.logits(image)), top));
    const [probabilities, classIds] = await Promise.all([values.data(), indices.data()]);
    values.dispose();
    indices.dispose();
    const predictions = Array.from(classIds, (index, i) => ({
      index,
      label: this.metadata.classNames?.[index] ?? String(index),
      probability: probabilities[i],
    }));
    return Array.from({ length: predictions.length / top }, (_, n) =>
      predictions.slice(n * top, (n + 1) * top),
    );
  }

  /** The tree of a block (the first by default) for one image. */
  async tree(image: ImageTensor, options: { block?: number } = {}): Promise<BlockTree> {
    const block = this.checkBlock('tree', options.block);
    const names = [`blocks_${block}/order`, `blocks_${block}/parent`];
    const tensors = tidy(() => this.model.execute({ image: single('tree', image) }, names) as Tensor[]);
    const [order, parent] = (await Promise.all(tensors.map((tensor) => tensor.data()))) as Int32Array[];
    for (const tensor of tensors) tensor.dispose();
    return { ...this.gridOf(image, block), order, parent };
  }

  /**
   * What the scan of a block (the first by default) would carry from every other place to the place of a pixel: the
   * product of decays along the path between them, mean over channels. One image.
   * @param options.x, options.y pixel of the image.
   */
  async affinity(
    image: ImageTensor,
    options: { x: number; y: number; block?: number },
  ): Promise<AffinityMap> {
    const block = this.checkBlock('affinity', options.block);
    const { height, width } = this.gridOf(image, block);
    const [imageHeight, imageWidth] = image.shape.slice(-3);
    const { x, y } = options;
    if (!(x >= 0 && x < imageWidth && y >= 0 && y < imageHeight)) {
      throw new Error(
        `GrootV.affinity: (${x}, ${y}) is outside the image of ${imageWidth} x ${imageHeight} pixels`,
      );
    }
    const anchor = { x: Math.floor((x * width) / imageWidth), y: Math.floor((y * height) / imageHeight) };
    const carried = tidy(() => {
      const names = ['decay', 'order', 'parent'].map((node) => `blocks_${block}/${node}`);
      const nodes = this.model.execute({ image: single('affinity', image) }, names) as Tensor[];
      const [decay, order, parent] = nodes as [Tensor3D, Tensor2D, Tensor2D];
      const [, vertices, channels] = decay.shape;
      const one = buffer([1, vertices, 1], 'float32');
      one.set(1, 0, anchor.y * width + anchor.x, 0);
      const impulse = mul(one.toTensor(), ones([1, 1, channels]));
      return squeeze(mean(treeScan(impulse, decay, { order, parent }), -1), [0]);
    });
    const values = (await carried.data()) as Float32Array;
    carried.dispose();
    return { height, width, values, anchor };
  }

  /**
   * Saves the model with the values that its weights have now.
   * @param target an IOHandler such as `fileSystem(dir)`, or a URL such as `indexeddb://name`.
   */
  save(target: io.IOHandler | string): Promise<io.SaveResult> {
    return this.model.save(target);
  }

  /** Frees the weights. */
  dispose(): void {
    this.model.dispose();
  }

  private checkBlock(method: string, block = 0): number {
    if (Number.isInteger(block) && block >= 0 && block < this.numBlocks) return block;
    throw new Error(`GrootV.${method}: block is ${block}, wanted an integer from 0 to ${this.numBlocks - 1}`);
  }

  /** Height and width of a block's grid: the stem halves twice, every further level once, odd sizes rounding up. */
  private gridOf(image: ImageTensor, block: number): { height: number; width: number } {
    const { depths } = this.metadata.architecture;
    let level = 0;
    for (let first = depths[0]; block >= first; first += depths[level]) level++;
    const [height, width] = image.shape.slice(-3).map((pixels) => {
      let size = pixels;
      for (let halvings = level + 2; halvings > 0; halvings--) size = Math.ceil(size / 2);
      return size;
    });
    return { height, width };
  }
}

function toBatch(method: string, image: Tensor): Tensor4D {
  if ((image.rank !== 3 && image.rank !== 4) || image.shape[image.rank - 1] !== 3) {
    throw new Error(
      `GrootV.${method}: the image has shape [${image.shape.join(', ')}], wanted [H, W, 3] or [N, H, W, 3]`,
    );
  }
  const pixels = cast(image, 'float32');
  return (image.rank === 3 ? expandDims(pixels) : pixels) as Tensor4D;
}

function single(method: string, image: Tensor): Tensor4D {
  const batch = toBatch(method, image);
  if (batch.shape[0] !== 1) {
    throw new Error(`GrootV.${method}: a batch of ${batch.shape[0]} images was given, wanted one image`);
  }
  return batch;
}
