/** How an image becomes the input of a GrootV model, as the authors' evaluation does it. */
import {
  type GrootVTrunk,
  inputChannelsOf,
  type Preprocessing,
} from '../../../plugin/models/grootv_metadata.js';

/** Mean and deviation of ImageNet's training images, RGB, of values from 0 to 1. */
export const IMAGENET_MEAN: readonly number[] = [0.485, 0.456, 0.406];
export const IMAGENET_DEVIATION: readonly number[] = [0.229, 0.224, 0.225];

/** The size of the published classification models; used where a checkpoint does not say its own. */
export const IMAGENET_SIZE = 224;

/**
 * What is taken out of values from 0 to 1, a number a channel: ImageNet's of GrootV. GG-SSM takes the values as they are,
 * and of other than three channels nothing says what they are.
 */
export function normalizationOf(trunk: GrootVTrunk): Pick<Preprocessing, 'mean' | 'deviation'> {
  const channels = inputChannelsOf(trunk);
  const isImageNet = channels === 3 && trunk.stemStride !== 1;
  return isImageNet
    ? { mean: IMAGENET_MEAN, deviation: IMAGENET_DEVIATION }
    : { mean: new Array(channels).fill(0), deviation: new Array(channels).fill(1) };
}

/** The preprocessing of a model whose images have this side. */
export function preprocessingOf(size: number, trunk: GrootVTrunk): Preprocessing {
  return {
    size,
    resize: 'short-side',
    resampling: 'bicubic',
    crop: 'centre',
    channels: inputChannelsOf(trunk) === 3 ? 'RGB' : 'any',
    range: [0, 255],
    ...normalizationOf(trunk),
  };
}
