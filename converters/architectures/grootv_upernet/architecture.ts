/** Recognises checkpoints of UperNet on GrootV by the names and shapes of their tensors. */
import { declaredShapes, type Parameter, Parameters } from '../../parameters.js';
import { disagreements } from '../../state_shapes.js';
import type { FileArchitecture } from '../architecture.js';
import { countParameters } from '../grootv/architecture.js';
import { denseTrunk, hasAnchor, ownsBackbone, whyLeftOut } from '../grootv/dense_trunk.js';
import { refuseModelsBeside } from '../grootv/model_evidence.js';
import { IMAGENET_DEVIATION, IMAGENET_MEAN } from '../grootv/preprocessing.js';
import { type UperNetSizes, uperNetGraph } from './graph.js';
import { type UperNetSettings, uperNetMetadata, uperNetSettings } from './settings.js';

/** UperNet on GrootV as in checkpoints of mmsegmentation. */
export const GROOTV_UPERNET: FileArchitecture<UperNetSizes, UperNetSettings> = {
  family: 'GrootV-UperNet',
  title: 'UperNet on GrootV',
  contains: 'GrootV',
  anchors: ['decode_head.psp_modules.', 'decode_head.fpn_bottleneck.'],
  owns: (name) => ownsBackbone(name) || name.startsWith('decode_head.'),
  whyLeftOut,
  describe: ({ name, channels, depths, classes }) =>
    `a ${name} (channels ${channels}, depths ${depths.join(', ')}, ${classes} classes)`,
  fit(state) {
    const trunk = denseTrunk(state);
    if (!trunk || !hasAnchor(state, GROOTV_UPERNET)) return undefined;
    const head = new Parameters(state).at('decode_head');
    let pools = 0;
    while (head.has(`psp_modules.${pools}.1.conv.weight`)) pools++;
    const sizes: UperNetSizes = {
      ...trunk,
      name: `${trunk.name} + UperNet`,
      classes: head.size('conv_seg.weight', 0, 1),
      headChannels: head.size('fpn_bottleneck.conv.weight', 0, 512),
      pools,
    };
    return { sizes, differences: disagreements(state, uperNetShapes(sizes, state), GROOTV_UPERNET.owns) };
  },
  check: refuseModelsBeside('GrootV'),
  settings: uperNetSettings,
  build: uperNetGraph,
  countParameters,
  metadata: uperNetMetadata,
};

/**
 * Names and shapes of all tensors of a network of these sizes; settings determine no shape. Sizes that the architecture leaves
 * free are taken from the state.
 */
export function uperNetShapes(
  sizes: UperNetSizes,
  state?: ReadonlyMap<string, Parameter>,
): ReadonlyMap<string, readonly number[]> {
  const preprocessing = { mean: IMAGENET_MEAN, deviation: IMAGENET_DEVIATION };
  const settings = { preprocessing, poolScales: new Array(sizes.pools).fill(1) };
  return declaredShapes((parameters) => uperNetGraph(sizes, parameters, settings), state);
}
