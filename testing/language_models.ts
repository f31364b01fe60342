/** Converted GrootL models for tests. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { convertFolder, type FolderConvertOptions } from '../converters/architectures/grootl/folder.js';
import { MemorySink } from '../converters/index.js';
import { sourceDirectory } from '../node/source_directory.js';
import '../plugin/index.js';
import type { ModelFolder } from '../plugin/models/model_files.js';
import { fixturePath } from './fixtures.js';

/** Converts a HuggingFace folder of the fixtures in memory. `lora` names another folder. */
export async function convertedFolder(
  folder: string,
  options: Omit<FolderConvertOptions, 'lora'> & { lora?: string } = {},
): Promise<MemorySink> {
  const directory = await sourceDirectory(existing(folder));
  const lora = options.lora === undefined ? undefined : await sourceDirectory(existing(options.lora));
  try {
    const sink = new MemorySink();
    await convertFolder(directory, sink, { ...options, lora });
    return sink;
  } finally {
    await directory.close();
    await lora?.close();
  }
}

function existing(folder: string): string {
  const path = fixturePath(folder);
  if (!path) throw new Error(`no fixture ${folder}`);
  return path;
}

/** Logits [L, vocabulary] of one text. */
export function logitsOf(model: GraphModel, ids: ArrayLike<number>, promptLength: number): Float32Array {
  const logits = tf.tidy(() => {
    const input_ids = tf.tensor2d(Int32Array.from(ids), [1, ids.length], 'int32');
    const prompt_length = tf.scalar(promptLength, 'int32');
    return model.execute({ input_ids, prompt_length }, 'logits') as tf.Tensor;
  });
  const values = logits.dataSync<'float32'>(); // outside of tf.tidy, which would search every element for tensors
  logits.dispose();
  return values;
}

/** Loads model.json of a sink with tf.loadGraphModel. */
export async function loadPrefill(sink: MemorySink): Promise<GraphModel> {
  return (await loadGraphModel(tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts))) as GraphModel;
}

/** The files of a sink, for `GrootL.load`. */
export function sinkFiles(sink: MemorySink): ModelFolder {
  const handler = tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts);
  return Object.assign(handler, {
    async readText(file: string) {
      const bytes = sink.files.get(file);
      return bytes && new TextDecoder().decode(bytes);
    },
  });
}
