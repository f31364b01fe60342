/** What models of pictures have in common: a graph with metadata, and errors that name the method. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { dispose, type io, type NamedTensorMap, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { Extent } from '../image/prepare.js';
import { declaredOp } from '../ops/declare.js';
import { awaitedInputs } from '../ops/kernels.js';
import { nodesOf } from './graph_editor.js';
import type { GrootVTrunk } from './grootv_metadata.js';
import { type LoadedModel, openModel } from './loaded_model.js';
import { type LoadOptions, type ModelSource, openSource } from './model_files.js';

/** A loaded model of pictures. */
export abstract class PictureModel<Metadata> {
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

  /** Frees the weights. */
  dispose(): void {
    this.model.dispose();
  }
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

/**
 * @param remedy what a person can do about it
 * @throws {Error} for a picture whose tensors would not fit
 */
export function checkWorkingBytes(
  extent: Extent,
  trunk: Pick<GrootVTrunk, 'channels' | 'stemStride'>,
  remedy: string,
): void {
  const bytes = workingBytes(extent, trunk);
  if (bytes <= MAX_WORKING_BYTES) return;
  throw new Error(
    `a picture of ${extent.width} x ${extent.height} pixels needs about ${gigabytes(bytes)} of memory, ` +
      `at most ${gigabytes(MAX_WORKING_BYTES)} are used: ${remedy}`,
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
