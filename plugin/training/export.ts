/** Weights back to PyTorch. */
import { EXPORTED, type GrootVMetadata } from '../models/grootv_metadata.js';
import { encodeSafetensors } from '../models/safetensors_writer.js';
import { toTorch } from '../torch_layout.js';
import { graphOf, layoutsOf, Trainable, type TrainableModel } from './trainable.js';

/**
 * The parameters of a model, and its running statistics, as a `.safetensors` file: float32, under the names and in the
 * layouts of the authors' PyTorch code. Converted again it gives the same graph and the same weights.
 * @param model converted by this package, or what `trainable` made of it; quantised weights are what they stand for
 * @throws {Error} one line, when the weights do not say how PyTorch stores them, or were computed from several parameters
 */
export async function exportCheckpoint(model: TrainableModel | Trainable): Promise<Uint8Array> {
  const graph = graphOf(model instanceof Trainable ? model.model : model, 'exportCheckpoint');
  const tensors = [];
  for (const [name, layout] of layoutsOf('exportCheckpoint', graph)) {
    const values = toTorch((await graph.weights[name][0].data()) as Float32Array, layout);
    tensors.push({ name, dtype: 'F32', shape: layout.shape, data: values } as const);
  }
  const { preprocessing, classNames } = (graph.metadata ?? {}) as Partial<GrootVMetadata>;
  return encodeSafetensors(tensors, {
    format: 'pt',
    ...(preprocessing?.size && { [EXPORTED.imageSize]: String(preprocessing.size) }),
    ...(classNames && { [EXPORTED.classNames]: JSON.stringify(classNames) }),
  });
}
