/**
 * Normalize: images as models take them. Graphs are written without it; where a backend has a kernel, models substitute it for
 * the two ops that it replaces (../models/fusion.ts).
 */
import { div, sub } from '@tensorflow/tfjs-core';
import { defineOp, float32 } from './declare.js';

const ofChannels = (doc: string) => float32(['C'], doc);

export const Normalize = defineOp({
  name: 'Normalize',
  doc: '(x - mean) / deviation for each channel, as torchvision.transforms.Normalize.',
  inputs: {
    x: float32(['...', 'C'], 'images, channels last'),
    mean: ofChannels('subtracted from each channel'),
    deviation: ofChannels('divisor of each channel'),
  },
  attributes: {},
  outputs: { y: float32(['...', 'C'], 'normalised values, same shape as x') },
  compose: ({ x, mean, deviation }) => div(sub(x, mean), deviation),
});
