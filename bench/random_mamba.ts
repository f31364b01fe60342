/** Mamba language models of any size with random weights, or zeros, as a HuggingFace folder. */
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type GrootLSizes, grootLShapes } from '../converters/architectures/grootl/architecture.js';
import { elementsOf } from '../converters/parameters.js';

/** mamba-130m-hf. */
export const MAMBA_130M: GrootLSizes = {
  ...{ layers: 24, hidden: 768, intermediate: 1536, states: 16, taps: 4, stepRank: 48, vocabulary: 50280 },
  ...{ tiedHead: true, epsilon: 1e-5, bias: false, convolutionBias: true },
};

/** config.json of a model of these sizes. */
function mambaConfig(sizes: GrootLSizes): Record<string, unknown> {
  return {
    model_type: 'mamba',
    num_hidden_layers: sizes.layers,
    hidden_size: sizes.hidden,
    intermediate_size: sizes.intermediate,
    state_size: sizes.states,
    conv_kernel: sizes.taps,
    time_step_rank: sizes.stepRank,
    vocab_size: sizes.vocabulary,
    tie_word_embeddings: sizes.tiedHead,
    layer_norm_epsilon: sizes.epsilon,
    use_bias: sizes.bias,
    use_conv_bias: sizes.convolutionBias,
    bos_token_id: 0,
    eos_token_id: 0,
  };
}

/** Values of a tensor, with magnitudes as in a trained model. */
function mambaValues(name: string, shape: readonly number[], random: () => number): Float32Array {
  const values = new Float32Array(elementsOf(shape));
  const fanIn = shape.length > 1 ? shape[shape.length - 1] : 1;
  if (name.endsWith('A_log')) return values.map((_, i) => Math.log(1 + (i % shape[1])));
  const fill = (centre: number, spread: number) => {
    for (let i = 0; i < values.length; i++) values[i] = centre + spread * random();
    return values;
  };
  if (name.endsWith('dt_proj.bias')) return fill(-4, 2);
  if (/norm|\.D$/.test(name)) return fill(1, 0.1);
  return fill(0, (shape.length > 1 ? 1 : 0.1) / Math.sqrt(fanIn));
}

/**
 * Writes config.json and model.safetensors, one tensor at a time.
 * @param random values from -1 to 1; without it all weights are zeros, which are neither computed nor stored
 */
export async function writeMamba(
  directory: string,
  sizes: GrootLSizes,
  random?: () => number,
): Promise<void> {
  const shapes = [...grootLShapes(sizes)];
  let end = 0;
  const header = JSON.stringify(
    Object.fromEntries(
      shapes.map(([name, shape]) => {
        const begin = end;
        end += 4 * elementsOf(shape);
        return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }];
      }),
    ),
  );
  const padded = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const file = await open(join(directory, 'model.safetensors'), 'w');
  try {
    await file.write(length);
    await file.write(padded);
    if (!random) {
      await file.truncate(length.length + padded.length + end);
    } else {
      for (const [name, shape] of shapes) {
        await file.write(new Uint8Array(mambaValues(name, shape, random).buffer));
      }
    }
  } finally {
    await file.close();
  }
  await writeFile(join(directory, 'config.json'), JSON.stringify(mambaConfig(sizes)));
}
