/** Recognises checkpoints of GG-SSM's eye tracker by the names and shapes of their tensors. */
import { declaredShapes } from '../../parameters.js';
import { disagreements, entriesIn } from '../../state_shapes.js';
import type { FileArchitecture, ModelSettings } from '../architecture.js';
import { countParameters, trunkSizes } from '../grootv/architecture.js';
import { refuseModelsBeside, stemStrideOf } from '../grootv/model_evidence.js';
import { refuseClasses } from '../refused_options.js';
import { type EyeTrackerSizes, eyeTrackerGraph } from './graph.js';

const OWNED = /^(spatial_backbone\.(patch_embed|levels)|temporal_ssm|fc_out)\./;

interface EyeTrackerSettings extends ModelSettings {
  readonly stemStride: 1 | 2;
}

export const GG_SSM_EYE_TRACKER: FileArchitecture<EyeTrackerSizes, EyeTrackerSettings> = {
  family: 'GG-SSM eye tracker',
  title: 'eye tracker of GG-SSM',
  contains: 'GrootV',
  anchors: ['temporal_ssm.'],
  owns: (name) => OWNED.test(name),
  describe: ({ channels, depths }) =>
    `a GG-SSM eye tracker (channels ${channels}, depths ${depths.join(', ')})`,
  fit(state) {
    const trunk = trunkSizes(entriesIn(state, 'spatial_backbone.'));
    if (!trunk) return undefined;
    const coordinates = state.get('fc_out.weight')?.shape[0] ?? 2;
    const sizes = { ...trunk, name: 'GG-SSM eye tracker', classes: 0, coordinates };
    const expected = declaredShapes((parameters) => eyeTrackerGraph(sizes, parameters), state);
    return { sizes, differences: disagreements(state, expected, GG_SSM_EYE_TRACKER.owns) };
  },
  check: refuseModelsBeside('GrootV', 'GG-SSM'),
  settings(_sizes, checkpoint, options) {
    refuseClasses(options, 'an eye tracker');
    const { stride, setting, warning } = stemStrideOf(checkpoint, options.stemStride);
    const warnings = warning === undefined ? [] : [warning];
    return { classNames: null, report: [setting], stemStride: stride, warnings };
  },
  complete: (sizes, { stemStride }) => ({ ...sizes, stemStride }),
  build: eyeTrackerGraph,
  countParameters,
  metadata: (sizes, _settings, { parameters, ...details }) => ({
    architecture: { family: 'GG-SSM-EyeTracker', ...sizes, parameters },
    ...details,
  }),
};
