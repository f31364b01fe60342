/** Recognises checkpoints of UIS-Mamba's backbone by the names and shapes of their tensors. */
import type { UisMambaArchitecture } from '../../../plugin/models/uis_mamba_metadata.js';
import { declaredShapes, type Parameter } from '../../parameters.js';
import { disagreements, type StateShapes } from '../../state_shapes.js';
import type { FileArchitecture } from '../architecture.js';
import { countParameters, trunkSizes } from '../grootv/architecture.js';
import { outputNormalization } from '../grootv/dense_trunk.js';
import { uisMambaGraph } from './graph.js';
import { UIS_MAMBA_DEFAULTS, type UisMambaSettings, uisMambaMetadata, uisMambaSettings } from './settings.js';

/** A module of every block, which no block of GrootV has. */
const DEFORMATION = 'levels.0.blocks.0.TreeSSM.deform_module.';
const DEPATCH = 'levels.0.downsample.depatch.';

const OWNED = /^(patch_embed|levels|outnorm\d+)\./;
/** A second name of the module `depatch.box_coder`. */
const SHARED = /\.downsample\.box_coder\./;

/** UIS-Mamba's backbone, recognised by the names and shapes of its tensors. */
export const UIS_MAMBA: FileArchitecture<UisMambaArchitecture, UisMambaSettings> = {
  family: 'UIS-Mamba',
  title: 'UIS-Mamba checkpoint',
  contains: 'GrootV',
  anchors: [DEFORMATION],
  owns: (name) => OWNED.test(name) && !SHARED.test(name),
  whyLeftOut: (name) => {
    if (SHARED.test(name)) return 'the same as that of depatch, which is used';
    return /^(conv_head|head)\./.test(name)
      ? "the backbone's own classifier, not used by this network"
      : undefined;
  },
  describe: ({ name, channels, depths }) => `a ${name} (channels ${channels}, depths ${depths.join(', ')})`,
  scan: { metric: 'euclidean' },
  fit(state) {
    const sizes = uisMambaSizes(state);
    if (!sizes) return undefined;
    return { sizes, differences: disagreements(state, uisMambaShapes(sizes, state), UIS_MAMBA.owns) };
  },
  check: () => {}, // the names distinguish it from all other models
  settings: uisMambaSettings,
  build: uisMambaGraph,
  countParameters,
  metadata: uisMambaMetadata,
};

/** The sizes, inferred from names and shapes; undefined if this is another network. */
export function uisMambaSizes(state: StateShapes): UisMambaArchitecture | undefined {
  const trunk = trunkSizes(state);
  const has = (start: string) => [...state.keys()].some((name) => name.startsWith(start));
  if (!trunk || !has(DEFORMATION)) return undefined;
  // Images have three channels: a stem with another number does not fit.
  const { inputChannels: _, ...rest } = trunk;
  return {
    ...rest,
    name: trunk.name.replace(/^GrootV/, 'UIS-Mamba'),
    classes: 0,
    outputNormalization: outputNormalization(state, trunk.depths.length),
    depatch: has(DEPATCH),
  };
}

/**
 * Names and shapes of all tensors of a backbone of these sizes; sizes that the architecture leaves free are taken from the state.
 */
export function uisMambaShapes(
  sizes: UisMambaArchitecture,
  state?: ReadonlyMap<string, Parameter>,
): ReadonlyMap<string, readonly number[]> {
  return declaredShapes((parameters) => uisMambaGraph(sizes, parameters, UIS_MAMBA_DEFAULTS), state);
}
