/**
 * Normalize: images as models take them. Graphs are written without it; where a backend has a kernel, models substitute it for
 * the two ops that it replaces (../models/fusion.ts).
 */
import { div, sub } from '@tensorflow/tfjs-core';
import { defineOp } from './declare.js';

const ofChannels = (doc: string) => ({ dtype: 'float32', shape: ['C'], doc }) as const;

export const Normalize = defineOp({
  name: 'Normalize',
  doc: '(x - mean) / deviation for each channel, as torchvision.transforms.Normalize.',
  inputs: {
    x: { dtype: 'float32', shape: ['...', 'C'], doc: 'images, channels last' },
    mean: ofChannels('subtracted from each channel'),
    deviation: ofChannels('divisor of each channel'),
  },
  attributes: {},
  outputs: { y: { dtype: 'float32', shape: ['...', 'C'], doc: 'normalised values, same shape as x' } },
  compose: ({ x, mean, deviation }) => div(sub(x, mean), deviation),
});
