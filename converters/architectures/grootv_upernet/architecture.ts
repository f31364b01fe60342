/** What a checkpoint of UperNet on GrootV is, read from the names and shapes of its tensors alone. */
import { Parameters } from '../../parameters.js';
import { disagreements } from '../../state_shapes.js';
import type { FileArchitecture } from '../architecture.js';
import { countParameters } from '../grootv/architecture.js';
import { denseTrunk, hasAnchor, ownsBackbone, whyLeftOut } from '../grootv/dense_trunk.js';
import { refuseModelsBeside } from '../grootv/model_evidence.js';
import { IMAGENET_DEVIATION, IMAGENET_MEAN } from '../grootv/preprocessing.js';
import { type UperNetSizes, uperNetGraph } from './graph.js';
import { type UperNetSettings, uperNetMetadata, uperNetSettings } from './settings.js';

/** UperNet on GrootV: checkpoints of mmsegmentation. */
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
    const parameters = new Parameters(state);
    const head = parameters.at('decode_head');
    if (!trunk || !hasAnchor(state, GROOTV_UPERNET)) return undefined;
    let pools = 0;
    while (head.has(`psp_modules.${pools}.1.conv.weight`)) pools++;
    const sizes: UperNetSizes = {
      ...trunk,
      name: `${trunk.name} + UperNet`,
      classes: head.size('conv_seg.weight', 0, 1),
      headChannels: head.size('fpn_bottleneck.conv.weight', 0, 512),
      pools,
    };
    declare(sizes, parameters);
    return { sizes, differences: disagreements(state, parameters.declared, GROOTV_UPERNET.owns) };
  },
  check: refuseModelsBeside('GrootV'),
  settings: uperNetSettings,
  build: uperNetGraph,
  countParameters,
  metadata: uperNetMetadata,
};

/** Reads every parameter; the settings decide no shape. */
function declare(sizes: UperNetSizes, parameters: Parameters): void {
  const preprocessing = { mean: IMAGENET_MEAN, deviation: IMAGENET_DEVIATION };
  uperNetGraph(sizes, parameters, { preprocessing, poolScales: new Array(sizes.pools).fill(1) });
}

/** Names and shapes of all tensors of a network of these sizes. */
export function uperNetShapes(sizes: UperNetSizes): ReadonlyMap<string, readonly number[]> {
  const parameters = new Parameters();
  declare(sizes, parameters);
  return parameters.declared;
}
