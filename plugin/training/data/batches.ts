/** Batches of examples: shuffled by a seed, from a position that can be saved, prepared as the model takes them. */
import { concat, type Tensor4D, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { prepareImage } from '../../image/prepare.js';
import type { RgbImage } from '../../image/rgb_image.js';
import { integer, record } from '../../models/checks.js';
import type { Preprocessing } from '../../models/grootv_metadata.js';
import { interpolateBilinear } from '../../ops/resize.js';
import { RandomNumbers } from '../../random.js';
import {
  AUGMENTATION,
  type Augmentation,
  augmentPicture,
  checkAugmentation,
  eraseRectangle,
} from './augment.js';
import type { Examples } from './examples.js';

/** Pictures as the node `image` of a model takes them. */
export interface Batch {
  /** [N, size, size, 3] float32, 0 to 255. Whoever takes the batch disposes it. */
  readonly images: Tensor4D;
  /** int32 [N] */
  readonly labels: Int32Array;
}

/** What of a model's metadata tells how pictures are prepared. */
export type Preparation = Pick<Preprocessing, 'size' | 'mean' | 'deviation'>;

export interface BatchOptions {
  /** Pictures of a batch, default 32; fewer where the set has fewer. What is left of an epoch is left out. */
  readonly batch?: number;
  readonly preparation: Preparation;
  /** Default 0. */
  readonly seed?: number;
  /** Random changes of the pictures; default false. */
  readonly augment?: boolean | Augmentation;
  /** Examples of each batch, in place of shuffling; from the start again after the last. */
  readonly order?: readonly (readonly number[])[];
}

/** Which batch comes next. Plain data, for JSON. */
export interface DataPosition {
  readonly epoch: number;
  /** Of the epoch, from 0. */
  readonly batch: number;
}

const POSITION = record({ epoch: integer(0), batch: integer(0) });

/**
 * Batches without end, epoch by epoch. Everything random follows from the seed and the position: the order of an epoch
 * from its number, the changes of a picture from epoch and picture.
 */
export class Batches {
  private readonly batch: number;
  private readonly preparation: Preparation;
  private readonly seed: number;
  private readonly augmentation: Required<Augmentation> | undefined;
  private readonly given: BatchOptions['order'];
  private at: DataPosition = { epoch: 0, batch: 0 };
  private order: { readonly epoch: number; readonly indices: Int32Array } | undefined;

  /** @throws {Error} one line, for options that make no sense */
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

  /** Where the next batch is. */
  get position(): DataPosition {
    return this.at;
  }

  /** @throws {Error} for what is no position of these examples, such as one of another set */
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

  /** The next batch. @throws {Error} one line that names the picture, when one cannot be read; the position stays */
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

/** All examples once, in order, the last batch as large as it is. */
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
  const pictures = await Promise.all(list.map((index) => examples.picture(index)));
  const changes = list.map(changesOf);
  const images =
    examples.resizing === 'bilinear' && !changes.some((each) => each)
      ? enlarged(pictures, preparation.size)
      : squares(pictures, preparation, changes);
  return { images, labels: Int32Array.from(list, (index) => examples.labels[index]) };
}

/** Squares of 8 bits, [N, size, size, 3]. */
function squares(
  pictures: readonly RgbImage[],
  preparation: Preparation,
  changes: readonly (Changes | undefined)[],
): Tensor4D {
  const { size } = preparation;
  const values = new Float32Array(pictures.length * size * size * 3);
  for (const [i, picture] of pictures.entries()) {
    const change = changes[i];
    const square = change
      ? augmentPicture(picture, size, change, change.random)
      : prepareImage(picture, size);
    const part = values.subarray(i * square.data.length, (i + 1) * square.data.length);
    part.set(square.data);
    if (change && change.random.next() < change.erase) eraseRectangle(part, size, preparation, change.random);
  }
  return tensor4d(values, [pictures.length, size, size, 3]);
}

/** Whole pictures, bilinear, [N, size, size, 3]. */
function enlarged(pictures: readonly RgbImage[], size: number): Tensor4D {
  return tidy(() => {
    const parts: Tensor4D[] = [];
    for (let from = 0, to = 0; from < pictures.length; from = to) {
      const { width, height } = pictures[from];
      // Pictures of one size are one tensor.
      while (pictures[to]?.width === width && pictures[to].height === height) to++;
      const values = new Float32Array((to - from) * height * width * 3);
      for (let i = from; i < to; i++) values.set(pictures[i].data, (i - from) * height * width * 3);
      const pixels = tensor4d(values, [to - from, height, width, 3]);
      parts.push(interpolateBilinear(pixels, { height: size, width: size }));
    }
    return concat(parts, 0);
  });
}
