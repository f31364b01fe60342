/** Converted models for tests. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { type ConvertOptions, convertCheckpoint, type Inspection, MemorySink } from '../converters/index.js';
import { fileSource } from '../node/file_source.js';
import '../plugin/index.js';
import { fixturePath } from './fixtures.js';

export { orderOf, pinnedTrees, toChannelsLast, toTensor } from './reference_trees.js';

/** Converts a checkpoint of the fixtures in memory and loads it on the current backend with tf.loadGraphModel. */
export async function loadConverted(
  file: string,
  options: ConvertOptions = {},
): Promise<{ model: GraphModel; inspection: Inspection; sink: MemorySink }> {
  const { sink, inspection } = await converted(file, options);
  return { model: await loadSink(sink), inspection, sink };
}

/** Converts a checkpoint of the fixtures in memory. */
export async function convertedSink(file: string, options: ConvertOptions = {}): Promise<MemorySink> {
  return (await converted(file, options)).sink;
}

async function converted(
  file: string,
  options: ConvertOptions,
): Promise<{ inspection: Inspection; sink: MemorySink }> {
  const path = fixturePath(file);
  if (!path) throw new Error(`no fixture ${file}`);
  const source = await fileSource(path);
  try {
    const sink = new MemorySink();
    return { inspection: await convertCheckpoint(source, sink, options), sink };
  } finally {
    await source.close();
  }
}

/** Loads a model from memory. */
export async function loadSink(sink: MemorySink): Promise<GraphModel> {
  return (await loadGraphModel(tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts))) as GraphModel;
}
