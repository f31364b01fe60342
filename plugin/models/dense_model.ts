/** What models of dense prediction have in common: classes with names and colours, and pictures that are prepared whole. */
import { classColours, type Rgb } from '../image/colour_map.js';
import { type DenseInput, type ImageInput, toDenseInput } from '../image/input.js';
import type { Extent } from '../image/prepare.js';
import { abortSignal, boolean } from './checks.js';
import type { DenseMetadata, DenseTrunk } from './dense_metadata.js';
import { checkWorkingBytes, failure, PictureModel } from './picture_model.js';

/** Options of one picture. */
export interface DenseOptions {
  /** Draws the result over the picture, 1120 pixels on the long side. Default false. */
  readonly overlay?: boolean;
  /** False: the pixels are taken as they are, neither resized nor rounded to 8 bits. Default true. */
  readonly prepare?: boolean;
  /** Ends the work between two parts of it, with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Checks of {@link DenseOptions}. */
export const DENSE_OPTIONS = { overlay: boolean, prepare: boolean, signal: abortSignal };

/** A model whose results are pixels of the picture that is given. */
export abstract class DenseModel<
  Metadata extends DenseMetadata & { readonly architecture: DenseTrunk },
> extends PictureModel<Metadata> {
  protected get usualSide(): number {
    return this.metadata.preprocessing.scale[1];
  }

  /** One name a class: those of the checkpoint, or `class 0` and so on. */
  get classNames(): readonly string[] {
    const { classNames, architecture } = this.metadata;
    return classNames ?? Array.from({ length: architecture.classes }, (_, i) => `class ${i}`);
  }

  /** One colour a class: the palette of the checkpoint, or a generated one. */
  get colours(): readonly Rgb[] {
    return this.metadata.palette ?? classColours(this.metadata.architecture.classes);
  }

  /**
   * What `body` makes of a prepared picture. Errors name the method.
   * @param seen what the network sees at once of an input of some size, pixels
   */
  protected async withPicture<T>(
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
        checkWorkingBytes(seen(extent), architecture, 'take a smaller picture or window'),
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
