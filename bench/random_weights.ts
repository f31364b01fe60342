/** Random weights of GrootV networks of any size: as fast or slow as trained ones. */
export interface GrootVSizes {
  readonly channels: number;
  readonly depths: readonly number[];
  readonly mlpRatio?: number;
  readonly layerScale?: boolean;
  /** 0: no head. */
  readonly classes?: number;
  readonly convolutionHead?: boolean;
}

/** A small generator of uniform numbers in [-1, 1) (mulberry32), so that tests repeat. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

/** Names and shapes of the tensors of a GrootV network, in PyTorch's order. */
export function grootVShapes(sizes: GrootVSizes): Map<string, number[]> {
  const { channels, depths, mlpRatio = 4, layerScale = false, classes = 10, convolutionHead = true } = sizes;
  const shapes = new Map<string, number[]>();
  const norm = (name: string, size: number) =>
    shapes.set(`${name}.weight`, [size]).set(`${name}.bias`, [size]);
  const stem = Math.floor(channels / 2);
  shapes.set('patch_embed.conv1.weight', [stem, 3, 3, 3]).set('patch_embed.conv1.bias', [stem]);
  norm('patch_embed.norm1.1', stem);
  shapes.set('patch_embed.conv2.weight', [channels, stem, 3, 3]).set('patch_embed.conv2.bias', [channels]);
  norm('patch_embed.norm2.1', channels);
  depths.forEach((depth, level) => {
    const width = channels * 2 ** level;
    const inner = 2 * width;
    const rank = Math.ceil(width / 16);
    const hidden = Math.floor(width * mlpRatio);
    for (let block = 0; block < depth; block++) {
      const prefix = `levels.${level}.blocks.${block}`;
      const ssm = `${prefix}.TreeSSM`;
      if (layerScale) shapes.set(`${prefix}.gamma1`, [width]).set(`${prefix}.gamma2`, [width]);
      norm(`${prefix}.norm1.0`, width);
      shapes
        .set(`${ssm}.x_proj_weight`, [1, rank + 2, inner])
        .set(`${ssm}.dt_projs_weight`, [1, inner, rank]);
      shapes
        .set(`${ssm}.dt_projs_bias`, [1, inner])
        .set(`${ssm}.A_logs`, [inner, 1])
        .set(`${ssm}.Ds`, [inner]);
      norm(`${ssm}.out_norm`, inner);
      norm(`${ssm}.h_norm`, inner);
      shapes.set(`${ssm}.in_proj.weight`, [2 * inner, width]).set(`${ssm}.conv2d.weight`, [inner, 1, 3, 3]);
      shapes.set(`${ssm}.out_proj.weight`, [width, inner]);
      norm(`${prefix}.norm2.0`, width);
      shapes.set(`${prefix}.mlp.fc1.weight`, [hidden, width]).set(`${prefix}.mlp.fc1.bias`, [hidden]);
      shapes.set(`${prefix}.mlp.fc2.weight`, [width, hidden]).set(`${prefix}.mlp.fc2.bias`, [width]);
    }
    norm(`levels.${level}.norm.0`, width);
    if (level + 1 < depths.length) {
      shapes.set(`levels.${level}.downsample.conv.weight`, [2 * width, width, 3, 3]);
      norm(`levels.${level}.downsample.norm.1`, 2 * width);
    }
  });
  let features = channels * 2 ** (depths.length - 1);
  if (convolutionHead) {
    const width = Math.floor(features * 1.5);
    shapes.set('conv_head.0.weight', [width, features, 1, 1]);
    for (const part of ['weight', 'bias', 'running_mean', 'running_var'])
      shapes.set(`conv_head.1.0.${part}`, [width]);
    shapes.set('conv_head.1.0.num_batches_tracked', []);
    features = width;
  }
  if (classes > 0) shapes.set('head.weight', [classes, features]).set('head.bias', [classes]);
  return shapes;
}

/** Values for a parameter of this name: norms and variances near 1, matrices scaled by their fan-in. */
export function randomValues(name: string, shape: readonly number[], random: () => number): Float32Array {
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  const isScale = /norm.*weight|conv_head\.1\.0\.weight|running_var|Ds|gamma/.test(name);
  const scale = shape.length > 1 && !/A_logs|dt_projs_bias/.test(name) ? 1.7 / Math.sqrt(fanIn) : 0.2;
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let i = 0; i < values.length; i++) values[i] = isScale ? 1 + 0.2 * random() : scale * random();
  return values;
}
