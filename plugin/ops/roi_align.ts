/** RoiAlign: features of regions, each divided into bins, as in Mask R-CNN (K. He et al., 2017, section 3). */
import { type Tensor, type Tensor4D, tidy, zerosLike } from '@tensorflow/tfjs-core';
import { type AxisMap, MOST_SAMPLES, regionMap } from '../kernels/axis_map.js';
import type { AttributesOf } from './declaration.js';
import { defineOp, float32 } from './declare.js';
import { OpError } from './input_checks.js';
import { readFloats, runOp } from './kernels.js';
import { type ResampleMap, resample, resampleGradient } from './resample.js';

const attributes = {
  outHeight: { type: 'integer', least: 1, letter: 'P', doc: 'number of rows P of bins' },
  outWidth: { type: 'integer', least: 1, letter: 'Q', doc: 'number of columns Q of bins' },
  spatialScale: { type: 'number', default: 1, doc: 'feature-map pixels per input pixel' },
  samplingRatio: {
    type: 'integer',
    default: 0,
    least: 0,
    most: MOST_SAMPLES,
    doc: 'samples per bin along each axis; 0: ceil of the bin size',
  },
  aligned: {
    type: 'boolean',
    default: true,
    doc: 'whether to shift regions by half a pixel; false: no shift, and regions of at least one pixel',
  },
} as const;

export const RoiAlign = defineOp({
  name: 'RoiAlign',
  doc:
    'Each region is cut into bins, and each bin is the mean of its bilinear samples. Positions in float32: start = ' +
    'x1 * scale - 0.5, bin = (end - start) / out, samples at start + p * bin + (i + 0.5) * bin / n. Outside ' +
    '[-1, H] x [-1, W] a sample is 0.',
  inputs: {
    features: float32(['N', 'H', 'W', 'C'], 'feature maps, channels last'),
    rois: float32(
      ['K', '5'],
      'regions as image index, x1, y1, x2, y2 in input pixels, read on the host; a negative index gives zeros',
    ),
  },
  attributes,
  outputs: { y: float32(['K', 'P', 'Q', 'C'], 'bins of each region') },
  least: { H: 1, W: 1 },
  reads: ['rois'],
  compose: ({ features, rois }, attributes) => resample(features, regions(features, rois, attributes)),
  gradient: {
    saves: ['features', 'rois'],
    compute: ({ features, rois }, [dy], attributes) => ({
      features: () =>
        tidy(() => resampleGradient(dy, regions(features, rois, attributes), features.shape as number[])),
      rois: () => zerosLike(rois), // no gradient flows through the choice of a region
    }),
  },
});

/** The resampling maps of all regions. */
function regions(
  features: Tensor,
  rois: Tensor,
  { outHeight, outWidth, spatialScale, samplingRatio, aligned }: AttributesOf<typeof attributes>,
): ResampleMap {
  const [images, height, width] = features.shape as number[];
  const values = readFloats('RoiAlign', rois);
  const f32 = Math.fround;
  const scale = f32(spatialScale);
  const axis = (low: number, high: number, size: number, count: number): AxisMap => {
    const [start, end] = [low, high].map((at) => f32(f32(at * scale) - (aligned ? 0.5 : 0)));
    const length = f32(end - start);
    return regionMap(start, aligned ? length : Math.max(length, 1), { size, count, samples: samplingRatio });
  };
  const nothing = [outHeight, outWidth].map((count) => regionMap(0, 0, { size: 1, count, samples: 0 }));
  const terms: [number, number][][] = [];
  const [rows, columns]: [AxisMap[], AxisMap[]] = [[nothing[0]], [nothing[1]]];
  for (let k = 0; k < rois.shape[0]; k++) {
    const [image, x1, y1, x2, y2] = values.subarray(5 * k, 5 * k + 5);
    const n = Math.trunc(image);
    if (!(n < images)) {
      throw new OpError('RoiAlign', `rois[${k}, 0] is image ${image}, expected at most ${images - 1}`);
    }
    if (n < 0) {
      terms.push([]);
      continue;
    }
    terms.push([[n, rows.length]]);
    rows.push(axis(y1, y2, height, outHeight));
    columns.push(axis(x1, x2, width, outWidth));
  }
  return { terms, rows, columns };
}

/**
 * Pools the features of regions. Differentiable in the features.
 * @param features [N, H, W, C] float32.
 * @param rois [K, 5] float32: image index, x1, y1, x2, y2 in input pixels. A negative index gives zeros. Read on the host.
 * @param options.outHeight rows of bins, and `outWidth` columns.
 * @param options.spatialScale feature pixels per input pixel, 1 by default.
 * @param options.samplingRatio samples per bin along each axis; 0 (default): one for each pixel that the bin covers.
 * @param options.aligned true by default; false: as before half-pixel centres were introduced.
 * @returns [K, outHeight, outWidth, C] float32.
 * @throws {OpError} if a rank or dtype is wrong, or an image index is N or more.
 */
export function roiAlign(
  features: Tensor,
  rois: Tensor,
  options: {
    outHeight: number;
    outWidth: number;
    spatialScale?: number;
    samplingRatio?: number;
    aligned?: boolean;
  },
): Tensor4D {
  return runOp(RoiAlign, { features, rois }, { ...options })[0] as Tensor4D;
}
