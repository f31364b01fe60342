/** Recognises checkpoints of GrootV and GG-SSM: names and shapes of tensors, and the stride of the stem. */
import type { GrootVArchitecture, GrootVTrunk } from '../../../plugin/models/grootv_metadata.js';
import { unusedReason } from '../../names.js';
import { declaredShapes, elementsOf } from '../../parameters.js';
import { disagreements, type StateShapes } from '../../state_shapes.js';
import type { FileArchitecture } from '../architecture.js';
import { grootVGraph } from './graph.js';
import { type GrootVSettings, grootVMetadata, grootVSettings, withStemStride } from './metadata.js';
import { refuseModelsBeside } from './model_evidence.js';

/** The published sizes: channels and depths. */
const PUBLISHED: readonly (readonly [name: string, channels: number, depths: readonly number[]])[] = [
  ['GrootV-T', 80, [2, 2, 9, 2]],
  ['GrootV-S', 96, [2, 2, 13, 2]],
  ['GrootV-B', 128, [2, 2, 13, 2]],
];

/** BatchNorm statistics: part of the network, but not parameters. */
const STATISTICS = /\.running_(mean|var)$/;

/** Modules of the network, by the first segment of the parameter name. */
const OWNED = /^(patch_embed|levels|conv_head|head)\./;

/** GrootV, recognised by names and shapes of tensors, which GG-SSM has as well. */
export const GROOTV: FileArchitecture<GrootVArchitecture, GrootVSettings> = {
  family: 'GrootV',
  title: 'GrootV checkpoint',
  anchors: ['patch_embed.conv2.weight', 'levels.0.blocks.0.'],
  owns: (name) => OWNED.test(name),
  whyLeftOut: (name) =>
    /^outnorm\d+\./.test(name)
      ? "normalises a level's features for dense prediction; here features are given without it"
      : undefined,
  describe: ({ name, channels, depths }) => `a ${name} (channels ${channels}, depths ${depths.join(', ')})`,
  fit(state) {
    const trunk = trunkSizes(state);
    if (!trunk) return undefined;
    const sizes: GrootVArchitecture = {
      ...trunk,
      classes: state.get('head.weight')?.shape[0] ?? 0,
      convolutionHead: state.has('conv_head.0.weight'),
    };
    const expected = declaredShapes((parameters) => grootVGraph(sizes, parameters), state);
    return { sizes, differences: disagreements(state, expected, GROOTV.owns) };
  },
  check: refuseModelsBeside('GrootV', 'GG-SSM'),
  settings: grootVSettings,
  complete: withStemStride,
  build: grootVGraph,
  countParameters,
  metadata: grootVMetadata,
};

/** The sizes of a trunk, inferred from names and shapes; undefined if there is no trunk. */
export function trunkSizes(state: StateShapes): GrootVTrunk | undefined {
  const channels = state.get('patch_embed.conv2.weight')?.shape[0];
  const depths = countBlocks(state);
  if (!channels || depths.length === 0) return undefined;
  const hidden = state.get('levels.0.blocks.0.mlp.fc1.weight')?.shape[0] ?? 4 * channels;
  const published = PUBLISHED.find(([, c, d]) => c === channels && `${d}` === `${depths}`);
  return {
    name: published?.[0] ?? 'GrootV',
    channels,
    depths,
    mlpRatio: hidden / channels,
    layerScale: state.has('levels.0.blocks.0.gamma1'),
    inputChannels: state.get('patch_embed.conv1.weight')?.shape[1] ?? 3,
  };
}

/** Number of trainable parameters. */
export function countParameters(state: StateShapes): number {
  let count = 0;
  for (const [name, { shape }] of state) {
    if (unusedReason(name) === undefined && !STATISTICS.test(name)) count += elementsOf(shape);
  }
  return count;
}

/** Depths of levels 0, 1, ... up to the first gap in the names. */
function countBlocks(state: StateShapes): number[] {
  const blocks = new Set<string>();
  for (const name of state.keys()) {
    const match = /^levels\.(\d+)\.blocks\.(\d+)\./.exec(name);
    if (match) blocks.add(`${match[1]} ${match[2]}`);
  }
  const depths: number[] = [];
  for (let level = 0; blocks.has(`${level} 0`); level++) {
    let depth = 0;
    while (blocks.has(`${level} ${depth}`)) depth++;
    depths.push(depth);
  }
  return depths;
}

/** Names and shapes of all tensors of a network of these sizes; sizes that the architecture leaves free get the usual ratios. */
export function grootVShapes(sizes: GrootVArchitecture): ReadonlyMap<string, readonly number[]> {
  return declaredShapes((parameters) => grootVGraph(sizes, parameters));
}
