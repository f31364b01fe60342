/** A model that is read once for all threads of a process. */
import type { io } from '@tensorflow/tfjs-core';
import type { ModelFolder } from '../../plugin/models/model_folder.js';
import { storedBytes } from '../../plugin/models/model_json.js';
import { modelFolder } from '../model_source.js';

/** Can be sent to a thread without copying the weights. */
export interface SharedModel {
  readonly origin: string;
  /** Without weights. */
  readonly description: io.ModelArtifacts;
  readonly weights: SharedArrayBuffer;
}

/** Bytes that a thread copies at a time. */
const PIECE_BYTES = 2 ** 20;

/**
 * Reads a model.
 * @param path its folder or URL
 * @throws {Error} one line, if it cannot be read
 */
export async function readSharedModel(path: string): Promise<SharedModel> {
  const folder = await modelFolder(path, { streamWeights: true });
  const artifacts = (await folder.load?.()) as io.ModelArtifacts;
  const origin = folder.origin ?? path;
  const { weightData, getWeightStream, ...description } = artifacts;
  const buffers = [weightData ?? []].flat();
  const sizes = getWeightStream
    ? (description.weightSpecs ?? []).map((spec) => storedBytes(origin, spec))
    : buffers.map(({ byteLength }) => byteLength);
  const size = sizes.reduce((sum, bytes) => sum + bytes, 0);
  return { origin, description, weights: await joined(getWeightStream?.() ?? buffers, size) };
}

/** Copies pieces one after another. */
async function joined(
  pieces: AsyncIterable<ArrayBuffer> | readonly ArrayBuffer[],
  size: number,
): Promise<SharedArrayBuffer> {
  const weights = new SharedArrayBuffer(size);
  let at = 0;
  for await (const piece of pieces) {
    new Uint8Array(weights).set(new Uint8Array(piece), at);
    at += piece.byteLength;
  }
  return weights;
}

/** In a thread: the model, whose weights are copied one after another to the backend's memory. */
export function sharedFolder({ origin, description, weights }: SharedModel): ModelFolder {
  const getWeightStream = () => {
    let at = 0;
    return new ReadableStream<ArrayBuffer>({
      pull(controller) {
        if (at >= weights.byteLength) return controller.close();
        const piece = Uint8Array.from(
          new Uint8Array(weights, at, Math.min(PIECE_BYTES, weights.byteLength - at)),
        );
        at += piece.length;
        controller.enqueue(piece.buffer);
      },
    });
  };
  return { origin, load: async () => ({ ...description, getWeightStream }), readText: async () => undefined };
}
