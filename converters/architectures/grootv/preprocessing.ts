/** How an image becomes the input of a GrootV model, as the authors' evaluation does it. */
import type { Preprocessing } from '../../../plugin/models/grootv_metadata.js';

/** Mean and deviation of ImageNet's training images, RGB, of values from 0 to 1. */
export const IMAGENET_MEAN: readonly number[] = [0.485, 0.456, 0.406];
export const IMAGENET_DEVIATION: readonly number[] = [0.229, 0.224, 0.225];

/** The size of the published classification models; used where a checkpoint does not say its own. */
export const IMAGENET_SIZE = 224;

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
