/**
 * The effective receptive field (W. Luo et al., "Understanding the Effective Receptive Field in Deep Convolutional Neural
 * Networks", 2016): how much each pixel contributes to the features at the centre of a level, measured by their gradient.
 */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import {
  dispose,
  relu,
  type Scalar,
  slice,
  sum,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tidy,
  variable,
} from '@tensorflow/tfjs-core';
import type { ContributionMap } from '../image/contributions.js';
import { gradientsInParts, planParts } from './checkpointing.js';
import { abortSignal, aFunction, integer } from './checks.js';
import { type EditedGraph, GraphEditor } from './graph_editor.js';
import { useOwnGradients } from './own_gradients.js';

export interface ReceptiveFieldOptions {
  /**
   * Side in pixels of the square to which every image is resized (short side) and cropped (centre). Default: the side that
   * the model was evaluated on; for segmenters and detectors, the short side of their images.
   */
  readonly size?: number;
  /** The level whose features are used, from 0. Default: the last, which the head reads. */
  readonly level?: number;
  /** Called after each image, or batch of images, with the number done so far. */
  readonly onProgress?: (done: number) => void;
  /** Aborts the work between two images, with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Checks of {@link ReceptiveFieldOptions}; the level is checked against the model. */
export const RECEPTIVE_FIELD_OPTIONS = {
  size: integer(1, 16_384),
  level: integer(0),
  onProgress: aFunction,
  signal: abortSignal,
};

/** How much the pixels of a square contribute to the features at its centre. */
export interface ReceptiveField extends ContributionMap {
  /** The level of the features. */
  readonly level: number;
  /** Number of images over which `values` are averaged. */
  readonly images: number;
  /**
   * float32 [size, size], row-major: the contribution of each pixel, at least 0. It is the gradient, with respect to the
   * normalised image, of the sum of the positive features at the centre of the level; negative values are set to 0 and the
   * channels summed.
   */
  readonly values: Float32Array;
}

/** Accumulates the contributions of pixels over images of one size. */
export class Contributions {
  /** Number of images added. */
  images = 0;
  private readonly graph: EditedGraph;
  private readonly parts: ReturnType<typeof planParts>;
  private readonly sums: Float64Array;

  /** @throws {Error} if the model has no features of this level, or no `normalized` node. */
  constructor(
    private readonly model: GraphModel,
    private readonly size: number,
    private readonly level: number,
  ) {
    const editor = new GraphEditor(model);
    const features = editor.node(`features_${level}`).name;
    editor.node('normalized');
    useOwnGradients(editor);
    this.parts = planParts(editor, features);
    this.graph = editor.build();
    this.sums = new Float64Array(size * size);
  }

  /**
   * Adds images.
   * @param images [N, size, size, 3] float32, 0 to 255; remains owned by the caller
   * @returns whether the gradients are finite; otherwise nothing is added
   */
  async add(images: Tensor4D): Promise<boolean> {
    const contributions = this.gradientOf(images);
    try {
      const values = await contributions.data();
      if (!values.every(Number.isFinite)) return false;
      for (let i = 0; i < values.length; i++) this.sums[i] += values[i];
      this.images += images.shape[0];
      return true;
    } finally {
      contributions.dispose();
    }
  }

  /** Returns the mean over the images that were added. */
  mean(): ReceptiveField {
    const { size, level, images, sums } = this;
    return { size, level, images, values: new Float32Array(sums.map((total) => total / images)) };
  }

  /** Frees the weights that do not belong to the model. */
  dispose(): void {
    this.graph.dispose();
  }

  /** [size, size], computed for each image separately, then summed. */
  private gradientOf(images: Tensor4D): Tensor2D {
    const normalized = tidy(() => variable(this.model.execute({ image: images }, 'normalized') as Tensor));
    try {
      const { value, result, gradients } = gradientsInParts(
        this.graph,
        this.parts,
        { normalized },
        [normalized],
        middle,
      );
      const contributions = tidy(() => sum(relu(gradients[normalized.name]), [0, 3]) as Tensor2D);
      dispose([value, result, gradients]);
      return contributions;
    } finally {
      normalized.dispose();
    }
  }
}

/**
 * The value to differentiate: the positive features [N, H, W, C] at the centre. The sum of all features is not a measure,
 * because LayerNorm keeps it constant: its gradient would be 0 but for the channels' scales.
 */
function middle(features: Tensor): Scalar {
  const [samples, height, width, channels] = features.shape;
  const [y, x] = [Math.floor(height / 2), Math.floor(width / 2)];
  return sum(relu(slice(features, [0, y, x, 0], [samples, 1, 1, channels])));
}
