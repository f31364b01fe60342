/**
 * The passes that tree scans and their gradients are made of (GrootVL, section 3.2). `values` and `decay` are
 * [V, D] by vertex id; a pass works in place.
 */
import type { HostArray } from '../ops/kernels.js';

/** A rooted tree of V vertices: see `Tree` in plugin/ops/boruvka_mst.ts. */
export interface RootedTree {
  readonly order: ArrayLike<number>;
  readonly parent: ArrayLike<number>;
}

/** Leaves to root: values[v] += sum over children c of decay[c] * values[c]. */
export function scanUp(
  values: Float32Array,
  decay: ArrayLike<number>,
  { order, parent }: RootedTree,
  channels: number,
): void {
  for (let position = order.length - 1; position > 0; position--) {
    const v = order[position] * channels;
    const p = order[parent[position]] * channels;
    for (let d = 0; d < channels; d++) values[p + d] += decay[v + d] * values[v + d];
  }
}

/**
 * Root to leaves, after {@link scanUp}: what reaches v through its parent p is all that p has, less what p has from
 * v itself. values[v] += decay[v] * (values[p] - decay[v] * values[v]).
 */
export function scanDown(
  values: Float32Array,
  decay: ArrayLike<number>,
  { order, parent }: RootedTree,
  channels: number,
): void {
  for (let position = 1; position < order.length; position++) {
    const v = order[position] * channels;
    const p = order[parent[position]] * channels;
    for (let d = 0; d < channels; d++) {
      const w = decay[v + d];
      values[v + d] += w * (values[p + d] - w * values[v + d]);
    }
  }
}

/** Root to leaves: values[v] += decay[v] * values[p], the transpose of {@link scanUp}. */
export function spreadDown(
  values: Float32Array,
  decay: ArrayLike<number>,
  { order, parent }: RootedTree,
  channels: number,
): void {
  for (let position = 1; position < order.length; position++) {
    const v = order[position] * channels;
    const p = order[parent[position]] * channels;
    for (let d = 0; d < channels; d++) values[v + d] += decay[v + d] * values[p + d];
  }
}

/** The trees of a batch, each with a function that takes its [V, D] rows out of a [B, V, D] array. */
export function* treesOf(
  inputs: { readonly order: HostArray; readonly parent: HostArray },
  batch: number,
  numVertices: number,
  channels: number,
): Generator<{ tree: RootedTree; row: (values: HostArray) => Float32Array }> {
  const size = numVertices * channels;
  for (let b = 0; b < batch; b++) {
    const vertices = [b * numVertices, (b + 1) * numVertices] as const;
    const tree = { order: inputs.order.subarray(...vertices), parent: inputs.parent.subarray(...vertices) };
    yield { tree, row: (values) => values.subarray(b * size, (b + 1) * size) as Float32Array };
  }
}
