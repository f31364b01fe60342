/** Preprocessing of images for a GrootV model, as in the authors' evaluation. */
import {
  type GrootVTrunk,
  inputChannelsOf,
  type Preprocessing,
} from '../../../plugin/models/grootv_metadata.js';

/** Mean and standard deviation of ImageNet's training images, RGB, for values 0..1. */
export const IMAGENET_MEAN: readonly number[] = [0.485, 0.456, 0.406];
export const IMAGENET_DEVIATION: readonly number[] = [0.229, 0.224, 0.225];

/** Image size of the published classification models; the default if a checkpoint does not record one. */
export const IMAGENET_SIZE = 224;

/**
 * Mean and deviation for values 0..1, one number per channel: ImageNet's for GrootV. GG-SSM takes values as they are; so do
 * networks with other than three channels, whose meaning is unknown.
 */
export function normalizationOf(trunk: GrootVTrunk): Pick<Preprocessing, 'mean' | 'deviation'> {
  const channels = inputChannelsOf(trunk);
  const isImageNet = channels === 3 && trunk.stemStride !== 1;
  return isImageNet
    ? { mean: IMAGENET_MEAN, deviation: IMAGENET_DEVIATION }
    : { mean: new Array(channels).fill(0), deviation: new Array(channels).fill(1) };
}

/** The preprocessing of a model for images with this side. */
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
