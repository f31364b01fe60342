/** Batches of examples: shuffled by a seed, with a position that can be saved, and prepared for the model. */
import { concat, type Tensor4D, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { pixelTensor } from '../../image/pixel_tensor.js';
import { prepareImage } from '../../image/prepare.js';
import type { RgbImage } from '../../image/rgb_image.js';
import { integer, record } from '../../models/checks.js';
import type { Preprocessing } from '../../models/grootv_metadata.js';
import { interpolateBilinear } from '../../ops/resize.js';
import { RandomNumbers } from '../../random.js';
import {
  AUGMENTATION,
  type Augmentation,
  augmentImage,
  checkAugmentation,
  eraseRectangle,
} from './augment.js';
import type { Examples } from './examples.js';

/** Images for the node `image` of a model. */
export interface Batch {
  /** [N, size, size, 3] float32, 0 to 255. The consumer of the batch disposes it. */
  readonly images: Tensor4D;
  /** int32 [N] */
  readonly labels: Int32Array;
}

/** The fields of a model's metadata that determine how images are prepared. */
export type Preparation = Pick<Preprocessing, 'size' | 'mean' | 'deviation'>;

export interface BatchOptions {
  /** Images per batch, default 32, limited to the size of the set. An incomplete last batch of an epoch is dropped. */
  readonly batch?: number;
  readonly preparation: Preparation;
  /** Default 0. */
  readonly seed?: number;
  /** Whether, and how, images are randomly augmented; default false. */
  readonly augment?: boolean | Augmentation;
  /** Indices of the examples of each batch, instead of shuffling; repeated from the start after the last. */
  readonly order?: readonly (readonly number[])[];
}

/** Position of the next batch. Plain data that can be stored as JSON. */
export interface DataPosition {
  readonly epoch: number;
  /** Within the epoch, from 0. */
  readonly batch: number;
}

const POSITION = record({ epoch: integer(0), batch: integer(0) });

/**
 * Endless batches, epoch by epoch. All randomness is determined by the seed and the position: the order of an epoch by its
 * number, the augmentation of an image by epoch and image.
 */
export class Batches {
  private readonly batch: number;
  private readonly preparation: Preparation;
  private readonly seed: number;
  private readonly augmentation: Required<Augmentation> | undefined;
  private readonly given: BatchOptions['order'];
  private at: DataPosition = { epoch: 0, batch: 0 };
  private order: { readonly epoch: number; readonly indices: Int32Array } | undefined;

  /** @throws {Error} one line, if an option is invalid. */
  constructor(
    readonly examples: Examples,
    { batch = 32, preparation, seed = 0, augment = false, order }: BatchOptions,
  ) {
    integer(1)(batch, 'batch');
    integer(1)(preparation.size, 'size');
    integer(Number.MIN_SAFE_INTEGER)(seed, 'seed');
    const count = examples.labels.length;
    if (count === 0) throw new Error(`${examples.name}: no examples`);
    if (order?.length === 0) throw new Error('order: expected at least one batch');
    for (const [i, indices] of order?.entries() ?? []) {
      const wrong = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= count);
      if (indices.length === 0 || wrong !== undefined) {
        throw new Error(
          `order[${i}] holds ${wrong ?? 'nothing'}, expected examples of ${examples.name}, 0 to ${count - 1}`,
        );
      }
    }
    this.batch = Math.min(batch, count);
    this.preparation = preparation;
    this.seed = seed;
    this.augmentation = augment ? { ...AUGMENTATION, ...(augment === true ? {} : augment) } : undefined;
    if (this.augmentation) checkAugmentation(this.augmentation);
    this.given = order;
  }

  get batchesPerEpoch(): number {
    return this.given?.length ?? Math.floor(this.examples.labels.length / this.batch);
  }

  /** Position of the next batch. */
  get position(): DataPosition {
    return this.at;
  }

  /** @throws {Error} if it is not a valid position for these examples, for example one of another set. */
  restore(position: unknown): void {
    POSITION(position, 'the position of the data');
    const { epoch, batch } = position as DataPosition;
    if (batch >= this.batchesPerEpoch) {
      throw new Error(
        `the position of the data is batch ${batch}, an epoch of ${this.examples.name} has ${this.batchesPerEpoch}`,
      );
    }
    this.at = { epoch, batch };
  }

  /**
   * Returns the next batch.
   * @throws {Error} one line that names the image, if one cannot be read; the position then does not change.
   */
  async next(): Promise<Batch> {
    const { epoch, batch } = this.at;
    const indices =
      this.given?.[batch] ?? this.shuffled(epoch).subarray(batch * this.batch, (batch + 1) * this.batch);
    const made = await toBatch(
      this.examples,
      indices,
      this.preparation,
      (index) =>
        this.augmentation && {
          ...this.augmentation,
          random: RandomNumbers.stream(this.seed, `picture ${epoch} ${index}`),
        },
    );
    this.at = batch + 1 < this.batchesPerEpoch ? { epoch, batch: batch + 1 } : { epoch: epoch + 1, batch: 0 };
    return made;
  }

  private shuffled(epoch: number): Int32Array {
    if (this.order?.epoch !== epoch) {
      const random = RandomNumbers.stream(this.seed, `epoch ${epoch}`);
      const indices = random.permutation(this.examples.labels.length);
      this.order = { epoch, indices };
    }
    return this.order.indices;
  }
}

/** Yields all examples once, in order; the last batch may be smaller. */
export async function* inOrder(
  examples: Examples,
  { batch = 32, preparation }: Pick<BatchOptions, 'batch' | 'preparation'>,
): AsyncGenerator<Batch> {
  const count = examples.labels.length;
  for (let from = 0; from < count; from += batch) {
    const indices = Int32Array.from({ length: Math.min(batch, count - from) }, (_, i) => from + i);
    yield toBatch(examples, indices, preparation, () => undefined);
  }
}

type Changes = Required<Augmentation> & { readonly random: RandomNumbers };

async function toBatch(
  examples: Examples,
  indices: ArrayLike<number>,
  preparation: Preparation,
  changesOf: (index: number) => Changes | undefined,
): Promise<Batch> {
  const list = Array.from(indices);
  const given = await Promise.all(list.map((index) => examples.image(index)));
  const changes = list.map(changesOf);
  const images =
    examples.resizing === 'bilinear' && !changes.some((each) => each)
      ? enlarged(given, preparation.size)
      : squares(given, preparation, changes);
  return { images, labels: Int32Array.from(list, (index) => examples.labels[index]) };
}

/** Prepares 8-bit squares, [N, size, size, 3]. */
function squares(
  images: readonly RgbImage[],
  preparation: Preparation,
  changes: readonly (Changes | undefined)[],
): Tensor4D {
  const { size } = preparation;
  const values = new Float32Array(images.length * size * size * 3);
  for (const [i, image] of images.entries()) {
    const change = changes[i];
    const square = change ? augmentImage(image, size, change, change.random) : prepareImage(image, size);
    const part = values.subarray(i * square.data.length, (i + 1) * square.data.length);
    part.set(square.data);
    if (change && change.random.next() < change.erase) eraseRectangle(part, size, preparation, change.random);
  }
  return tensor4d(values, [images.length, size, size, 3]);
}

/** Resizes whole images bilinearly, [N, size, size, 3]. */
function enlarged(images: readonly RgbImage[], size: number): Tensor4D {
  return tidy(() => {
    const parts: Tensor4D[] = [];
    for (let from = 0, to = 0; from < images.length; from = to) {
      const { width, height } = images[from];
      // Consecutive images of equal size share a tensor.
      while (images[to]?.width === width && images[to].height === height) to++;
      const pixels = pixelTensor(images.slice(from, to));
      parts.push(interpolateBilinear(pixels, { height: size, width: size }));
    }
    return concat(parts, 0);
  });
}
