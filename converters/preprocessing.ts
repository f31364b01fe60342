/** How an image becomes the input of a GrootV model, as the authors' evaluation does it. */

/** Mean and deviation of ImageNet's training images, RGB, of values from 0 to 1. */
export const IMAGENET_MEAN: readonly number[] = [0.485, 0.456, 0.406];
export const IMAGENET_DEVIATION: readonly number[] = [0.229, 0.224, 0.225];

/** The size of the published classification models; used where a checkpoint does not say its own. */
export const IMAGENET_SIZE = 224;

/** `preprocessing` in the metadata of a converted model. */
export interface Preprocessing {
  /** Side of the square that is cropped, pixels. */
  readonly size: number;
  readonly resize: 'short-side';
  readonly resampling: 'bicubic';
  readonly crop: 'centre';
  readonly channels: 'RGB';
  /** Values that the graph's `image` input takes. */
  readonly range: readonly [0, 255];
  /** Taken out inside the graph, between `image` and `normalized`; of values from 0 to 1. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** The preprocessing of a model whose images have this side. */
export function preprocessingOf(size: number): Preprocessing {
  return {
    size,
    resize: 'short-side',
    resampling: 'bicubic',
    crop: 'centre',
    channels: 'RGB',
    range: [0, 255],
    mean: IMAGENET_MEAN,
    deviation: IMAGENET_DEVIATION,
  };
}
