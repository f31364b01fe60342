/** Converted models in a page. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { type ConvertOptions, convertCheckpoint, MemorySink } from '../../../converters/index.js';
import '../../../plugin/index.js';
import { fetchBytes } from './page_test.js';

/** Converts a checkpoint of the fixtures, as a page would a dropped file. */
export async function convertFixture(
  file: string,
  options: ConvertOptions = {},
): Promise<{ sink: MemorySink; depths: readonly number[] }> {
  const sink = new MemorySink();
  const { depths } = await convertCheckpoint(new File([await fetchBytes(file)], file), sink, options);
  return { sink, depths };
}

/** The same, loaded on the current backend. */
export async function loadModel(
  file: string,
  options: ConvertOptions = {},
): Promise<{ model: GraphModel; depths: readonly number[] }> {
  const { sink, depths } = await convertFixture(file, options);
  return { model: await loadGraphModel(tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts)), depths };
}
