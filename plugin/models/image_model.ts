/** What image models share: a graph with metadata, and errors that name the method. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { dispose, type io, type NamedTensorMap, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { batchOf, type ImageInput, NOT_FINITE, toModelView } from '../image/input.js';
import type { Extent } from '../image/prepare.js';
import { declaredOp } from '../ops/declare.js';
import { awaitedInputs } from '../ops/kernels.js';
import { options as checkOptions, refuse } from './checks.js';
import { nodesOf } from './graph_editor.js';
import { type GrootVTrunk, inputChannelsOf } from './grootv_metadata.js';
import { type LoadedModel, openModel } from './loaded_model.js';
import { type LoadOptions, type ModelSource, openSource } from './model_files.js';
import { checkGradients } from './own_gradients.js';
import {
  Contributions,
  RECEPTIVE_FIELD_OPTIONS,
  type ReceptiveField,
  type ReceptiveFieldOptions,
} from './receptive_field.js';

/** A loaded image model. */
export abstract class ImageModel<Metadata extends { readonly architecture: GrootVTrunk }> {
  protected constructor(
    /** The GraphModel; `execute` accepts any node of `metadata.nodes`. */
    readonly model: GraphModel,
    readonly metadata: Metadata,
  ) {}

  /**
   * Saves the model with the current values of its weights.
   * @param target an IOHandler such as `fileSystem(dir)`, or a URL such as `indexeddb://name`.
   */
  save(target: io.IOHandler | string): Promise<io.SaveResult> {
    return this.model.save(target);
  }

  /**
   * Computes the effective receptive field: how much each pixel contributes to the features at the centre of a level,
   * averaged over images, as in RepLKNet's and VMamba's scripts. No gradient flows through the choice of a spanning tree, so
   * the result shows what the given trees carry to the centre, not what would change them.
   * @param images images as for `GrootV.classify`: one, a list, or an async iterable, so that any number needs the memory of
   *   one. A tensor of rank 4 is a batch of images that are processed together.
   * @throws {Error} one line, if the gradients of tfjs's own ops are not registered (`import '@tensorflow/tfjs'`), the model
   *   has been disposed, an option is invalid, there is no image, or one cannot be read; the signal's reason if it is
   *   aborted.
   */
  async receptiveField(
    images: ImageInput | readonly ImageInput[] | AsyncIterable<ImageInput>,
    options: ReceptiveFieldOptions = {},
  ): Promise<ReceptiveField> {
    const method = `${this.className}.receptiveField`;
    checkOptions(options, method, RECEPTIVE_FIELD_OPTIONS);
    checkGradients(method);
    this.checkImages('receptiveField');
    const { architecture } = this.metadata;
    const { size = this.usualSide, signal } = options;
    const last = architecture.depths.length - 1;
    const { level = last } = options;
    if (level > last) refuse(level, `${method}: level`, `an integer from 0 to ${last}`);
    const contributions = this.contributions(method, size, level);
    let given = 0;
    try {
      for await (const image of isSeveral(images) ? images : [images]) {
        given++;
        try {
          const input = batchOf([await toModelView(image, size, { signal })]);
          const finite = await contributions.add(input).finally(() => input.dispose());
          if (!finite) throw new Error(NOT_FINITE);
        } catch (error) {
          const which = Array.isArray(images) ? `image ${given} of ${images.length}: ` : '';
          throw failure(method, error, which, signal);
        }
        options.onProgress?.(contributions.images);
      }
      if (given === 0) throw new Error(`${method}: expected at least one image, got none`);
      return contributions.mean();
    } finally {
      contributions.dispose();
    }
  }

  /** The name of the class, for errors. */
  protected abstract readonly className: string;

  /** Default side, in pixels, of the square to which images are resized and cropped. */
  protected abstract get usualSide(): number;

  /** @throws {Error} if the model takes tensors other than images. */
  protected checkImages(method: string): void {
    const channels = inputChannelsOf(this.metadata.architecture);
    if (channels === 3) return;
    throw new Error(
      `${this.className}.${method}: the model takes [N, H, W, ${channels}], expected RGB images: feed \`image\` with model.execute`,
    );
  }

  private contributions(method: string, size: number, level: number): Contributions {
    const extent = { width: size, height: size };
    try {
      checkWorkingBytes(extent, this.metadata.architecture, 'choose a smaller size', GRADIENT_BYTES);
      return new Contributions(this.model, size, level);
    } catch (error) {
      throw failure(method, error);
    }
  }

  /** Frees the weights. */
  dispose(): void {
    this.model.dispose();
  }
}

function isSeveral(
  images: ImageInput | readonly ImageInput[] | AsyncIterable<ImageInput>,
): images is readonly ImageInput[] | AsyncIterable<ImageInput> {
  return (
    Array.isArray(images) ||
    (images as Partial<AsyncIterable<ImageInput>> | null)?.[Symbol.asyncIterator] !== undefined
  );
}

/**
 * Loads an image model.
 * @param method the public method that was called, for errors
 * @param of creates it from its graph
 * @throws {Error} one line, if it cannot be loaded or is of another family; the signal's reason if it is aborted.
 */
export async function loadImageModel<T>(
  method: string,
  source: ModelSource,
  options: LoadOptions,
  of: (method: string, model: LoadedModel) => T,
): Promise<T> {
  return openModel(openSource(method, source, options), options, (model) => of(method, model));
}

/**
 * Runs a graph and returns some of its nodes. Only graphs with ops that wait for values run asynchronously: tfjs's
 * asynchronous executor is slower, and warns if a graph has no asynchronous op.
 */
export async function runGraph(
  model: GraphModel,
  inputs: NamedTensorMap,
  nodes: string[],
): Promise<Tensor[]> {
  // tfjs returns a single tensor for a list of one node.
  if (
    nodesOf(model)
      .map(({ op }) => declaredOp(op))
      .some((op) => op && awaitedInputs(op).length > 0)
  )
    return [await model.executeAsync(inputs, nodes)].flat();
  // An output may be a weight, which the model still owns.
  return tidy(() => [model.execute(inputs, nodes)].flat().map((tensor) => tensor.clone()));
}

/**
 * @param expected sizes; -1 stands for any size of at least 1
 * @throws {Error} if the output of a node has another shape.
 */
export function checkShape(node: string, { shape }: Tensor, expected: readonly number[]): void {
  const fits = (size: number, i: number) => (expected[i] === -1 ? size >= 1 : size === expected[i]);
  if (shape.length === expected.length && shape.every(fits)) return;
  const sizes = expected.map((size) => (size === -1 ? '1 or more' : size));
  throw new Error(`the model's ${node} have shape [${shape.join(', ')}], expected [${sizes.join(', ')}]`);
}

/**
 * Reads the values of tensors, then frees them.
 * @param check throws if the values are not as expected
 */
export async function valuesOf(
  tensors: readonly Tensor[],
  check: () => void,
): Promise<(Float32Array | Int32Array)[]> {
  try {
    check();
    return (await Promise.all(tensors.map((tensor) => tensor.data()))) as (Float32Array | Int32Array)[];
  } finally {
    dispose([...tensors]);
  }
}

/** Wraps any error of a method with its name; returns the signal's reason if it was aborted. */
export function failure(method: string, reason: unknown, which = '', signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  const message = reason instanceof Error ? reason.message : String(reason);
  return new Error(`${method}: ${which}${message}`, { cause: reason });
}

/** Limit on the peak memory of an image's tensors; wasm has 4 GB in all. */
const MAX_WORKING_BYTES = 3.5e9;

/**
 * Estimates the peak bytes of a backbone's tensors for an image of this size in pixels. 105 bytes per pixel were measured
 * with 16 channels (wasm, last block); they grow with the channels. A stem of stride 1 leaves 16 times as many positions.
 */
export function workingBytes(
  { width, height }: Extent,
  { channels, stemStride }: Pick<GrootVTrunk, 'channels' | 'stemStride'>,
): number {
  return width * height * (16 + 6 * channels) * (stemStride === 1 ? 16 : 1);
}

/** Factor of `workingBytes` for a gradient in the image: 3.1 to 3.4 were measured (wasm, the nano model and GrootV-T). */
const GRADIENT_BYTES = 3.5;

/**
 * @param remedy what the user can do about it
 * @param factor of `workingBytes`, if more than a prediction is computed
 * @throws {Error} if the image's tensors would not fit.
 */
export function checkWorkingBytes(
  extent: Extent,
  trunk: Pick<GrootVTrunk, 'channels' | 'stemStride'>,
  remedy: string,
  factor = 1,
): void {
  const bytes = factor * workingBytes(extent, trunk);
  if (bytes <= MAX_WORKING_BYTES) return;
  throw new Error(
    `an image of ${extent.width} x ${extent.height} pixels needs about ${gigabytes(bytes)} of memory, ` +
      `at most ${gigabytes(MAX_WORKING_BYTES)} are used: ${remedy}`,
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
