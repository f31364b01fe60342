/** What a Mamba language model is: names and shapes of its tensors, and a configuration that must agree with them. */
import type { GrootLArchitecture } from '../plugin/models/grootl_metadata.js';
import type { Architecture } from './architectures/recognize.js';
import { ArchitectureError } from './errors.js';
import type { MambaConfig } from './huggingface/mamba_config.js';
import { disagreements } from './state_shapes.js';

export const EMBEDDINGS = 'backbone.embeddings.weight';
export const HEAD = 'lm_head.weight';

/** Checked sizes, and which optional parameters there are. */
export interface GrootLSizes extends Omit<GrootLArchitecture, 'name' | 'scan'> {
  /** Whether the projections into and out of a layer have biases. */
  readonly bias: boolean;
  readonly convolutionBias: boolean;
}

/** The prefix of the tensors of one layer. */
export function layerPrefix(layer: number): string {
  return `backbone.layers.${layer}`;
}

/** Modules of the network. */
const OWNED = /^(backbone\.(embeddings|layers|norm_f)|lm_head)\./;
/** Names of the trunk alone, as MambaModel and, for the embeddings, the original code have them. */
const TRUNK = /^(?:backbone\.)?(embedding|embeddings|layers|norm_f)\./;

/** A parameter's name in a MambaForCausalLM of transformers. */
export function canonicalName(name: string): string {
  return name.replace(TRUNK, (_, part) => `backbone.${part === 'embedding' ? 'embeddings' : part}.`);
}

const owns = (name: string) => OWNED.test(name);

/** What transformers takes where config.json says nothing. */
const DEFAULTS: Pick<MambaConfig, 'tiedHead' | 'bias' | 'convolutionBias' | 'epsilon'> = {
  ...{ tiedHead: true, bias: false, convolutionBias: true, epsilon: 1e-5 },
};

/** A Mamba language model by the names and shapes of its tensors; biases and a tied head as config.json says. */
export function mambaArchitecture(config: typeof DEFAULTS = DEFAULTS): Architecture<GrootLSizes> {
  return {
    family: 'Mamba',
    title: 'Mamba model',
    anchors: ['layers.0.mixer.'],
    canonical: canonicalName,
    owns,
    describe: ({ layers, hidden }) =>
      `the Mamba model of config.json (${layers} layers, hidden size ${hidden})`,
    fit(state) {
      const shapeOf = (name: string) => state.get(name)?.shape ?? [];
      const table = config.tiedHead && !state.has(EMBEDDINGS) ? HEAD : EMBEDDINGS;
      const [vocabulary = 0, hidden = 0] = shapeOf(table);
      let layers = 0;
      while (state.has(`${layerPrefix(layers)}.mixer.A_log`)) layers++;
      if (!hidden || layers === 0) return undefined;
      const mixer = `${layerPrefix(0)}.mixer`;
      const [intermediate = 0, states = 0] = shapeOf(`${mixer}.A_log`);
      const sizes: GrootLSizes = {
        layers,
        hidden,
        intermediate,
        states,
        taps: shapeOf(`${mixer}.conv1d.weight`)[2] ?? 0,
        stepRank: shapeOf(`${mixer}.dt_proj.weight`)[1] ?? 0,
        vocabulary,
        tiedHead: config.tiedHead,
        epsilon: config.epsilon,
        bias: config.bias,
        convolutionBias: config.convolutionBias,
      };
      const expected = expectedShapes(sizes);
      if (config.tiedHead && state.has(HEAD)) expected.set(HEAD, [vocabulary, hidden]);
      if (table === HEAD) expected.delete(EMBEDDINGS);
      return { sizes, differences: disagreements(state, expected, owns) };
    },
  };
}

/** Parameters of the network, a tied head counted once. */
export function countGrootLParameters(sizes: GrootLSizes): number {
  let count = 0;
  for (const shape of expectedShapes(sizes).values())
    count += shape.reduce((product, size) => product * size, 1);
  return count;
}

/** @throws {ArchitectureError} when the configuration says other sizes than the weights have */
export function checkConfig(sizes: GrootLSizes, config: MambaConfig): void {
  const { keys } = config;
  const differences = (Object.keys(keys) as (keyof typeof keys)[])
    .filter((name) => config[name] !== undefined && config[name] !== sizes[name])
    .map((name) => `${keys[name]} is ${config[name]}, the weights have ${sizes[name]}`);
  if (differences.length > 0) {
    throw new ArchitectureError(`config.json disagrees with the weights: ${differences.join('; ')}`);
  }
}

/** Every tensor of a model of these sizes, in the layout of PyTorch. */
export function expectedShapes(sizes: GrootLSizes): Map<string, number[]> {
  const { layers, hidden, intermediate, states, taps, stepRank, vocabulary, tiedHead } = sizes;
  const expected = new Map<string, number[]>();
  expected.set(EMBEDDINGS, [vocabulary, hidden]);
  for (let layer = 0; layer < layers; layer++) {
    const mixer = `${layerPrefix(layer)}.mixer`;
    expected.set(`${layerPrefix(layer)}.norm.weight`, [hidden]);
    expected.set(`${mixer}.A_log`, [intermediate, states]);
    expected.set(`${mixer}.D`, [intermediate]);
    expected.set(`${mixer}.conv1d.weight`, [intermediate, 1, taps]);
    if (sizes.convolutionBias) expected.set(`${mixer}.conv1d.bias`, [intermediate]);
    expected.set(`${mixer}.in_proj.weight`, [2 * intermediate, hidden]);
    expected.set(`${mixer}.x_proj.weight`, [stepRank + 2 * states, intermediate]);
    expected.set(`${mixer}.dt_proj.weight`, [intermediate, stepRank]);
    expected.set(`${mixer}.dt_proj.bias`, [intermediate]);
    expected.set(`${mixer}.out_proj.weight`, [hidden, intermediate]);
    if (sizes.bias) {
      expected.set(`${mixer}.in_proj.bias`, [2 * intermediate]);
      expected.set(`${mixer}.out_proj.bias`, [hidden]);
    }
  }
  expected.set('backbone.norm_f.weight', [hidden]);
  if (!tiedHead) expected.set(HEAD, [vocabulary, hidden]);
  return expected;
}
