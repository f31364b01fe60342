/** What a GrootV checkpoint is, read from the names and shapes of its tensors alone. */
import type { GrootVArchitecture } from '../plugin/models/grootv_metadata.js';
import type { Architecture } from './architectures/recognize.js';
import { unusedReason } from './names.js';
import { disagreements, type StateShapes } from './state_shapes.js';

/** The published sizes: channels and depths. */
const PUBLISHED: readonly (readonly [name: string, channels: number, depths: readonly number[]])[] = [
  ['GrootV-T', 80, [2, 2, 9, 2]],
  ['GrootV-S', 96, [2, 2, 13, 2]],
  ['GrootV-B', 128, [2, 2, 13, 2]],
];

/** BatchNorm statistics: used, but not parameters. */
const STATISTICS = /\.running_(mean|var)$/;

/** The prefix of the tensors of one block. */
export function blockPrefix(level: number, block: number): string {
  return `levels.${level}.blocks.${block}`;
}

/** Modules of the network, by the first segment of a name. */
const OWNED = /^(patch_embed|levels|conv_head|head)\./;

/** GrootV by the names and shapes of its tensors. */
export const GROOTV: Architecture<GrootVArchitecture> = {
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
    const shapeOf = (name: string) => state.get(name)?.shape;
    const channels = shapeOf('patch_embed.conv2.weight')?.[0];
    const depths = countBlocks(state);
    if (!channels || depths.length === 0) return undefined;
    const hidden = shapeOf('levels.0.blocks.0.mlp.fc1.weight')?.[0] ?? 0;
    const published = PUBLISHED.find(([, c, d]) => c === channels && `${d}` === `${depths}`);
    const sizes: GrootVArchitecture = {
      name: published?.[0] ?? 'GrootV',
      channels,
      depths,
      mlpRatio: hidden / channels,
      layerScale: state.has('levels.0.blocks.0.gamma1'),
      classes: shapeOf('head.weight')?.[0] ?? 0,
      convolutionHead: state.has('conv_head.0.weight'),
    };
    return { sizes, differences: disagreements(state, expectedShapes(sizes, state), GROOTV.owns) };
  },
};

/** Parameters of the network: what training changes. */
export function countParameters(state: StateShapes): number {
  let count = 0;
  for (const [name, { shape }] of state) {
    if (unusedReason(name) === undefined && !STATISTICS.test(name))
      count += shape.reduce((product, size) => product * size, 1);
  }
  return count;
}

/** Depths of levels 0, 1, ... as far as the names go without a gap. */
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

/**
 * Every tensor that a network of this architecture has. Sizes that may be chosen freely for a part (channels of the
 * stem, width and rank of a state-space model, width of the head) are taken from one tensor of that part.
 */
function expectedShapes(architecture: GrootVArchitecture, state: StateShapes): Map<string, number[]> {
  const { channels, depths, mlpRatio, layerScale, classes, convolutionHead } = architecture;
  const expected = new Map<string, number[]>();
  const add = (name: string, ...shape: number[]) => expected.set(name, shape);
  const normalization = (name: string, size: number) => {
    add(`${name}.weight`, size);
    add(`${name}.bias`, size);
  };
  const sizeOf = (name: string, axis: number) => state.get(name)?.shape[axis] ?? 0;

  const stem = sizeOf('patch_embed.conv1.weight', 0);
  add('patch_embed.conv1.weight', stem, 3, 3, 3);
  add('patch_embed.conv1.bias', stem);
  normalization('patch_embed.norm1.1', stem);
  add('patch_embed.conv2.weight', channels, stem, 3, 3);
  add('patch_embed.conv2.bias', channels);
  normalization('patch_embed.norm2.1', channels);

  depths.forEach((depth, level) => {
    const width = channels * 2 ** level;
    for (let block = 0; block < depth; block++) {
      const prefix = blockPrefix(level, block);
      const inner = sizeOf(`${prefix}.TreeSSM.A_logs`, 0);
      const rank = sizeOf(`${prefix}.TreeSSM.dt_projs_weight`, 2);
      normalization(`${prefix}.norm1.0`, width);
      add(`${prefix}.TreeSSM.x_proj_weight`, 1, rank + 2, inner);
      add(`${prefix}.TreeSSM.dt_projs_weight`, 1, inner, rank);
      add(`${prefix}.TreeSSM.dt_projs_bias`, 1, inner);
      add(`${prefix}.TreeSSM.A_logs`, inner, 1);
      add(`${prefix}.TreeSSM.Ds`, inner);
      normalization(`${prefix}.TreeSSM.out_norm`, inner);
      normalization(`${prefix}.TreeSSM.h_norm`, inner);
      add(`${prefix}.TreeSSM.in_proj.weight`, 2 * inner, width);
      add(`${prefix}.TreeSSM.conv2d.weight`, inner, 1, 3, 3);
      add(`${prefix}.TreeSSM.out_proj.weight`, width, inner);
      normalization(`${prefix}.norm2.0`, width);
      const hidden = Math.floor(width * mlpRatio);
      add(`${prefix}.mlp.fc1.weight`, hidden, width);
      add(`${prefix}.mlp.fc1.bias`, hidden);
      add(`${prefix}.mlp.fc2.weight`, width, hidden);
      add(`${prefix}.mlp.fc2.bias`, width);
      if (layerScale) {
        add(`${prefix}.gamma1`, width);
        add(`${prefix}.gamma2`, width);
      }
    }
    normalization(`levels.${level}.norm.0`, width);
    if (level + 1 < depths.length) {
      add(`levels.${level}.downsample.conv.weight`, 2 * width, width, 3, 3);
      normalization(`levels.${level}.downsample.norm.1`, 2 * width);
    }
  });

  let features = channels * 2 ** (depths.length - 1);
  if (convolutionHead) {
    const width = sizeOf('conv_head.0.weight', 0);
    add('conv_head.0.weight', width, features, 1, 1);
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) add(`conv_head.1.0.${part}`, width);
    features = width;
  }
  if (classes > 0) {
    add('head.weight', classes, features);
    add('head.bias', classes);
  }
  return expected;
}
