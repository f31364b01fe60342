/** GrootV with random weights, created in memory: as fast as the trained one. */
import type * as tf from '@tensorflow/tfjs-core';
import { grootVGraph } from '../converters/architectures/grootv/graph.js';
import { MemorySink } from '../converters/graph/model_sink.js';
import { writeModel } from '../converters/graph/model_writer.js';
import type { Quantization } from '../converters/graph/quantize.js';
import { Parameters } from '../converters/parameters.js';
import { LoadedModel } from '../plugin/models/loaded_model.js';
import { type GrootVSizes, grootVShapes, grootVSizes, randomState } from './random_weights.js';

/** The published size T. */
export const GROOTV_T = { channels: 80, depths: [2, 2, 9, 2], mlpRatio: 4, layerScale: false, classes: 1000 };

/**
 * Loads the model like the classes of this package, so that a backend with kernels for fused ops uses them. @param sizes those of
 * GrootV-T by default
 */
export async function randomGrootV(
  sizes: GrootVSizes = GROOTV_T,
  quantize?: Quantization,
): Promise<LoadedModel> {
  return LoadedModel.from('random', await randomGrootVArtifacts(sizes, quantize));
}

/** The output of a conversion. */
export async function randomGrootVArtifacts(
  sizes: GrootVSizes = GROOTV_T,
  quantize?: Quantization,
): Promise<tf.io.ModelArtifacts> {
  const state = randomState(grootVShapes(sizes));
  const { graph } = grootVGraph(grootVSizes(sizes), new Parameters(state));
  const sink = new MemorySink();
  await writeModel(graph, sink, { quantize });
  return sink.artifacts() as unknown as tf.io.ModelArtifacts;
}
