/** Recognises checkpoints of GG-SSM's forecasting model by the names and shapes of their tensors. */
import { refuseOptions } from '../../openmmlab/settings.js';
import { declaredShapes } from '../../parameters.js';
import { disagreements, type StateShapes } from '../../state_shapes.js';
import type { FileArchitecture } from '../architecture.js';
import { countParameters } from '../grootv/architecture.js';
import { refuseClasses } from '../refused_options.js';
import { type ForecasterSizes, forecasterGraph } from './graph.js';

const UNUSED =
  /^encoder\.(layers\.\d+\.mixer\.conv1d\.(weight|bias)|adjacency_matrix|count_matrix|ending_points)$/;
const OWNED = /^(value_embedding\.1|encoder|head\.linear)\./;

export const GG_SSM_FORECASTER: FileArchitecture<ForecasterSizes> = {
  family: 'GG-SSM forecaster',
  title: 'forecasting model of GG-SSM',
  anchors: ['value_embedding.1.weight', 'encoder.layers.0.mixer.'],
  owns: (name) => OWNED.test(name) && !UNUSED.test(name),
  whyLeftOut: (name) =>
    UNUSED.test(`encoder.${name.replace(/^encoder\./, '')}`)
      ? 'stored and not used: the model computes without it'
      : undefined,
  describe: ({ channels, depths }) => `a GG-SSM forecaster (channels ${channels}, ${depths[0]} blocks)`,
  fit(state) {
    const sizes = forecasterSizes(state);
    if (!sizes) return undefined;
    const expected = declaredShapes((parameters) => forecasterGraph(sizes, parameters), state);
    return { sizes, differences: disagreements(state, expected, GG_SSM_FORECASTER.owns) };
  },
  check() {},
  scan: null,
  settings(_sizes, _checkpoint, options) {
    refuseClasses(options, 'a forecasting model');
    refuseOptions(options, ['stemStride'], 'GrootV and GG-SSM; a forecasting model has no stem');
    return { classNames: null, report: [] };
  },
  build: forecasterGraph,
  countParameters,
  metadata: (sizes, _settings, { parameters, ...details }) => ({
    architecture: { family: 'GG-SSM-Forecaster', ...sizes, parameters },
    ...details,
  }),
};

function forecasterSizes(state: StateShapes): ForecasterSizes | undefined {
  const [channels = 0, patchLength = 0] = state.get('value_embedding.1.weight')?.shape ?? [];
  const [forecastLength = 1, inputs = 0] = state.get('head.linear.weight')?.shape ?? [];
  let layers = 0;
  while (state.has(`encoder.layers.${layers}.mixer.A_log`)) layers++;
  if (channels === 0 || patchLength === 0 || layers === 0) return undefined;
  const patches = Math.max(1, Math.floor(inputs / channels));
  return {
    ...{ name: 'GG-SSM forecaster', channels, depths: [layers], classes: 0 },
    ...{ patchLength, patches, forecastLength },
  };
}
