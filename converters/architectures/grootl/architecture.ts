/** Recognises Mamba language models: names and shapes of their tensors, and a configuration that must agree with them. */
import { ArchitectureError } from '../../errors.js';
import type { MambaConfig } from '../../huggingface/mamba_config.js';
import { declaredShapes, elementsOf } from '../../parameters.js';
import { disagreements } from '../../state_shapes.js';
import type { Architecture } from '../architecture.js';
import { decodeGraph, type GrootLSizes } from './graph.js';

export type { GrootLSizes } from './graph.js';

export const EMBEDDINGS = 'backbone.embeddings.weight';
export const HEAD = 'lm_head.weight';

/** The prefix of the tensors of one layer. */
function layerPrefix(layer: number): string {
  return `backbone.layers.${layer}`;
}

/** Parameters of the network's modules. */
const OWNED = /^(backbone\.(embeddings|layers|norm_f)|lm_head)\./;
/** Names in a trunk without a head, as in MambaModel and, for the embeddings, in the original code. */
const TRUNK = /^(?:backbone\.)?(embedding|embeddings|layers|norm_f)\./;

/** A parameter's name in a MambaForCausalLM of transformers. */
export function canonicalName(name: string): string {
  return name.replace(TRUNK, (_, part) => `backbone.${part === 'embedding' ? 'embeddings' : part}.`);
}

const owns = (name: string) => OWNED.test(name);

/** Defaults of transformers for keys missing from config.json. */
const DEFAULTS: Pick<MambaConfig, 'tiedHead' | 'bias' | 'convolutionBias' | 'epsilon'> = {
  ...{ tiedHead: true, bias: false, convolutionBias: true, epsilon: 1e-5 },
};

/** A Mamba language model recognised by names and shapes; biases and the tied head follow config.json. */
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
      const expected = grootLShapes(sizes);
      if (config.tiedHead && state.has(HEAD)) expected.set(HEAD, [vocabulary, hidden]);
      if (table === HEAD) expected.delete(EMBEDDINGS);
      return { sizes, differences: disagreements(state, expected, owns) };
    },
  };
}

/** Number of parameters; a tied head is counted once. */
export function countGrootLParameters(sizes: GrootLSizes): number {
  let count = 0;
  for (const shape of grootLShapes(sizes).values()) count += elementsOf(shape);
  return count;
}

/** @throws {ArchitectureError} if the sizes in the configuration differ from those of the weights */
export function checkConfig(sizes: GrootLSizes, config: MambaConfig): void {
  const { keys } = config;
  const differences = (Object.keys(keys) as (keyof typeof keys)[])
    .filter((name) => config[name] !== undefined && config[name] !== sizes[name])
    .map((name) => `${keys[name]} is ${config[name]}, the weights have ${sizes[name]}`);
  if (differences.length > 0) {
    throw new ArchitectureError(`config.json disagrees with the weights: ${differences.join('; ')}`);
  }
}

/** Names and shapes of all tensors of a model of these sizes. */
export function grootLShapes(sizes: GrootLSizes): Map<string, readonly number[]> {
  return declaredShapes((parameters) => decodeGraph(sizes, 'chain', parameters));
}
