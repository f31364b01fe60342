/** What dense prediction models share: named and coloured classes, and preprocessing of whole images. */
import { classColours, type Rgb } from '../image/colour_map.js';
import { type DenseInput, type ImageInput, toDenseInput } from '../image/input.js';
import type { Extent } from '../image/prepare.js';
import { abortSignal, boolean } from './checks.js';
import type { DenseMetadata, DenseTrunk } from './dense_metadata.js';
import { checkWorkingBytes, failure, ImageModel } from './image_model.js';

/** Options for one image. */
export interface DenseOptions {
  /** Whether to draw the result over the image, with a long side of 1120 pixels. Default false. */
  readonly overlay?: boolean;
  /** False: the pixels are used as they are, neither resized nor rounded to 8 bits. Default true. */
  readonly prepare?: boolean;
  /** Aborts the work between two of its steps, with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Checks of {@link DenseOptions}. */
export const DENSE_OPTIONS = { overlay: boolean, prepare: boolean, signal: abortSignal };

/** A model whose results refer to pixels of the given image. */
export abstract class DenseModel<
  Metadata extends DenseMetadata & { readonly architecture: DenseTrunk },
> extends ImageModel<Metadata> {
  protected get usualSide(): number {
    return this.metadata.preprocessing.scale[1];
  }

  /** One name per class: those of the checkpoint, or `class 0` and so on. */
  get classNames(): readonly string[] {
    const { classNames, architecture } = this.metadata;
    return classNames ?? Array.from({ length: architecture.classes }, (_, i) => `class ${i}`);
  }

  /** One colour per class: the palette of the checkpoint, or a generated one. */
  get colours(): readonly Rgb[] {
    return this.metadata.palette ?? classColours(this.metadata.architecture.classes);
  }

  /**
   * Calls `body` with a prepared image and returns its result. Errors name the method.
   * @param seen the size that the network processes at once for a given input size, in pixels
   */
  protected async withImage<T>(
    method: string,
    image: ImageInput,
    options: DenseOptions,
    seen: (extent: Extent) => Extent,
    body: (given: DenseInput) => Promise<T>,
  ): Promise<T> {
    const { architecture, preprocessing } = this.metadata;
    let given: DenseInput | undefined;
    try {
      given = await toDenseInput(image, preprocessing, options, (extent) =>
        checkWorkingBytes(seen(extent), architecture, 'take a smaller image or window'),
      );
      options.signal?.throwIfAborted();
      return await body(given);
    } catch (error) {
      throw failure(method, error, '', options.signal);
    } finally {
      given?.input.dispose();
    }
  }
}
