/** What models of pictures have in common: a graph with metadata, and errors that name the method. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { dispose, type io, type NamedTensorMap, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { type ImageInput, NOT_FINITE, toModelInput } from '../image/input.js';
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

/** A loaded model of pictures. */
export abstract class PictureModel<Metadata extends { readonly architecture: GrootVTrunk }> {
  protected constructor(
    /** The GraphModel: `execute` for any node of `metadata.nodes`. */
    readonly model: GraphModel,
    readonly metadata: Metadata,
  ) {}

  /**
   * Saves the model with the values that its weights have now.
   * @param target an IOHandler such as `fileSystem(dir)`, or a URL such as `indexeddb://name`.
   */
  save(target: io.IOHandler | string): Promise<io.SaveResult> {
    return this.model.save(target);
  }

  /**
   * The effective receptive field: how much every pixel contributes to the features in the middle of a level, mean over
   * pictures, as RepLKNet's and VMamba's scripts take it. A spanning tree is a choice: no gradient flows through it, so
   * that what reaches the middle is what travels along the trees of each picture, not what would change them.
   * @param images pictures as for `GrootV.classify`, one or a list, or one after the other so that any number needs the
   *   memory of one. A tensor of rank 4 is a batch of pictures, which are done together.
   * @throws {Error} one line, when the gradients of tfjs's own ops are not registered (`import '@tensorflow/tfjs'`), the
   *   model has been disposed, an option is not as described, there is no picture, or one cannot be read; the signal's
   *   reason when it is aborted.
   */
  async receptiveField(
    images: ImageInput | readonly ImageInput[] | AsyncIterable<ImageInput>,
    options: ReceptiveFieldOptions = {},
  ): Promise<ReceptiveField> {
    const method = `${this.className}.receptiveField`;
    checkOptions(options, method, RECEPTIVE_FIELD_OPTIONS);
    checkGradients(method);
    this.checkPictures('receptiveField');
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
          const input = await toModelInput(image, size, { signal });
          const finite = await contributions.add(input).finally(() => input.dispose());
          if (!finite) throw new Error(NOT_FINITE);
        } catch (error) {
          const which = Array.isArray(images) ? `picture ${given} of ${images.length}: ` : '';
          throw failure(method, error, which, signal);
        }
        options.onProgress?.(contributions.pictures);
      }
      if (given === 0) throw new Error(`${method}: expected at least one picture, got none`);
      return contributions.mean();
    } finally {
      contributions.dispose();
    }
  }

  /** The name of the class, for errors. */
  protected abstract readonly className: string;

  /** Side of the square that pictures become where nobody says another, pixels. */
  protected abstract get usualSide(): number;

  /** @throws {Error} when the model takes other tensors than pictures */
  protected checkPictures(method: string): void {
    const channels = inputChannelsOf(this.metadata.architecture);
    if (channels === 3) return;
    throw new Error(
      `${this.className}.${method}: the model takes images of ${channels} channels and no pictures: feed \`image\` [N, H, W, ${channels}] with model.execute`,
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
 * Loads a model of pictures.
 * @param method that a person has called, for errors
 * @param of makes it of its graph
 * @throws {Error} one line, when it cannot be loaded or is of another family; the signal's reason when it is aborted
 */
export async function loadPictureModel<T>(
  method: string,
  source: ModelSource,
  options: LoadOptions,
  of: (method: string, model: LoadedModel) => T,
): Promise<T> {
  return openModel(openSource(method, source, options), options, (model) => of(method, model));
}

/**
 * Runs a graph for some of its nodes. Only a graph with ops that wait for values runs asynchronously: tfjs's asynchronous
 * executor is slower, and warns of graphs in which it finds nothing to wait for.
 */
export async function runGraph(
  model: GraphModel,
  inputs: NamedTensorMap,
  nodes: string[],
): Promise<Tensor[]> {
  // tfjs gives a tensor for a list of one node.
  if (
    nodesOf(model)
      .map(({ op }) => declaredOp(op))
      .some((op) => op && awaitedInputs(op).length > 0)
  )
    return [await model.executeAsync(inputs, nodes)].flat();
  // An output may be a weight, which stays the model's.
  return tidy(() => [model.execute(inputs, nodes)].flat().map((tensor) => tensor.clone()));
}

/**
 * @param expected sizes; -1 stands for any of at least 1
 * @throws {Error} when what a node gives has another shape
 */
export function checkShape(node: string, { shape }: Tensor, expected: readonly number[]): void {
  const fits = (size: number, i: number) => (expected[i] === -1 ? size >= 1 : size === expected[i]);
  if (shape.length === expected.length && shape.every(fits)) return;
  const sizes = expected.map((size) => (size === -1 ? '1 or more' : size));
  throw new Error(`the model's ${node} have shape [${shape.join(', ')}], expected [${sizes.join(', ')}]`);
}

/**
 * The values of tensors, which are freed.
 * @param check throws where they are not as expected
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

/** An error of a method, whatever went wrong in it; the signal's reason when that is why it ended. */
export function failure(method: string, reason: unknown, which = '', signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  const message = reason instanceof Error ? reason.message : String(reason);
  return new Error(`${method}: ${which}${message}`, { cause: reason });
}

/** What the tensors of a picture may take at their peak; wasm has 4 GB in all. */
const MAX_WORKING_BYTES = 3.5e9;

/**
 * About how many bytes the tensors of a backbone take at their peak for a picture of this size, pixels. With 16 channels
 * 105 bytes a pixel were measured (wasm, last block); they grow with the channels. A stem of stride 1 leaves 16 times as
 * many places for the levels.
 */
export function workingBytes(
  { width, height }: Extent,
  { channels, stemStride }: Pick<GrootVTrunk, 'channels' | 'stemStride'>,
): number {
  return width * height * (16 + 6 * channels) * (stemStride === 1 ? 16 : 1);
}

/** What a gradient in the picture takes, of `workingBytes`: 3.1 to 3.4 were measured (wasm, the nano model and GrootV-T). */
const GRADIENT_BYTES = 3.5;

/**
 * @param remedy what a person can do about it
 * @param factor of `workingBytes`, where more than a prediction is computed
 * @throws {Error} for a picture whose tensors would not fit
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
    `a picture of ${extent.width} x ${extent.height} pixels needs about ${gigabytes(bytes)} of memory, ` +
      `at most ${gigabytes(MAX_WORKING_BYTES)} are used: ${remedy}`,
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
