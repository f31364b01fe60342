/**
 * The effective receptive field (W. Luo et al., "Understanding the Effective Receptive Field in Deep Convolutional Neural
 * Networks", 2016): how much every pixel contributes to the features in the middle of a level, by their gradient.
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
   * Side of the square that every picture becomes, pixels: its short side resized, its middle cut out. Default: the side
   * that the model was evaluated on, of segmenters and detectors the short side of their pictures.
   */
  readonly size?: number;
  /** The level whose features are looked at, counted from 0. Default: the last, which the head reads. */
  readonly level?: number;
  /** Called after each picture, or batch of pictures, with the number that is done. */
  readonly onProgress?: (done: number) => void;
  /** Ends the work between two pictures, with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Checks of {@link ReceptiveFieldOptions}; the level is checked against the model. */
export const RECEPTIVE_FIELD_OPTIONS = {
  size: integer(1, 16_384),
  level: integer(0),
  onProgress: aFunction,
  signal: abortSignal,
};

/** How much the pixels of a square contribute to the features in its middle. */
export interface ReceptiveField extends ContributionMap {
  /** The level of the features. */
  readonly level: number;
  /** Pictures of which `values` are the mean. */
  readonly pictures: number;
  /**
   * float32 [size, size], row-major: the contribution of each pixel, at least 0. It is the gradient of the sum of the
   * positive features at the middle of the level in the normalised picture, its negative values set to 0, summed over the
   * channels.
   */
  readonly values: Float32Array;
}

/** The contributions of the pixels of pictures of one size, summed up. */
export class Contributions {
  /** Pictures that were added. */
  pictures = 0;
  private readonly graph: EditedGraph;
  private readonly parts: ReturnType<typeof planParts>;
  private readonly sums: Float64Array;

  /** @throws {Error} when the model has no features of this level, or no normalised picture */
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
   * Adds pictures.
   * @param images [N, size, size, 3] float32, 0 to 255; stays the caller's
   * @returns whether the gradients are finite; otherwise nothing is added
   */
  async add(images: Tensor4D): Promise<boolean> {
    const contributions = this.gradientOf(images);
    try {
      const values = await contributions.data();
      if (!values.every(Number.isFinite)) return false;
      for (let i = 0; i < values.length; i++) this.sums[i] += values[i];
      this.pictures += images.shape[0];
      return true;
    } finally {
      contributions.dispose();
    }
  }

  /** The mean of the pictures that were added. */
  mean(): ReceptiveField {
    const { size, level, pictures, sums } = this;
    return { size, level, pictures, values: new Float32Array(sums.map((total) => total / pictures)) };
  }

  /** Frees what is not the model's. */
  dispose(): void {
    this.graph.dispose();
  }

  /** [size, size], of each picture by itself, then summed. */
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
 * What is differentiated: the positive features [N, H, W, C] at the middle. The sum of all is no measure, since a LayerNorm
 * keeps it: its gradient is 0 but for the scales of the channels.
 */
function middle(features: Tensor): Scalar {
  const [samples, height, width, channels] = features.shape;
  const [y, x] = [Math.floor(height / 2), Math.floor(width / 2)];
  return sum(relu(slice(features, [0, y, x, 0], [samples, 1, 1, channels])));
}
