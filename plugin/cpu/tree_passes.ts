/**
 * The passes of tree scans and their gradients (GrootVL, section 3.2). `values` is [V, D] and `decay` [V, G] by vertex id,
 * where channel d has the decay of group floor(d / (D/G)). Passes work in place.
 */
import type { HostArray } from '../ops/kernels.js';

/** A rooted tree of V vertices: see `Tree` in plugin/ops/boruvka_mst.ts. */
export interface RootedTree {
  readonly order: ArrayLike<number>;
  readonly parent: ArrayLike<number>;
}

/** D and G, the extents of `values` and `decay`. */
export interface ScanWidth {
  readonly channels: number;
  readonly groups: number;
}

/** Leaves to root: values[v] += sum over children c of decay[c] * values[c]. */
export function scanUp(
  values: Float32Array,
  decay: ArrayLike<number>,
  { order, parent }: RootedTree,
  { channels, groups }: ScanWidth,
): void {
  const size = channels / groups;
  for (let position = order.length - 1; position > 0; position--) {
    const v = order[position] * channels;
    const p = order[parent[position]] * channels;
    for (let group = 0, d = 0; d < channels; group++) {
      const w = decay[order[position] * groups + group];
      for (const end = d + size; d < end; d++) values[p + d] += w * values[v + d];
    }
  }
}

/**
 * Root to leaves, after {@link scanUp}: v receives through its parent p the total of p minus the part that came from v
 * itself. values[v] += decay[v] * (values[p] - decay[v] * values[v]).
 */
export function scanDown(
  values: Float32Array,
  decay: ArrayLike<number>,
  { order, parent }: RootedTree,
  { channels, groups }: ScanWidth,
): void {
  const size = channels / groups;
  for (let position = 1; position < order.length; position++) {
    const v = order[position] * channels;
    const p = order[parent[position]] * channels;
    for (let group = 0, d = 0; d < channels; group++) {
      const w = decay[order[position] * groups + group];
      for (const end = d + size; d < end; d++) values[v + d] += w * (values[p + d] - w * values[v + d]);
    }
  }
}

/** Root to leaves: values[v] += decay[v] * values[p], the transpose of {@link scanUp}. */
export function spreadDown(
  values: Float32Array,
  decay: ArrayLike<number>,
  { order, parent }: RootedTree,
  { channels, groups }: ScanWidth,
): void {
  const size = channels / groups;
  for (let position = 1; position < order.length; position++) {
    const v = order[position] * channels;
    const p = order[parent[position]] * channels;
    for (let group = 0, d = 0; d < channels; group++) {
      const w = decay[order[position] * groups + group];
      for (const end = d + size; d < end; d++) values[v + d] += w * values[p + d];
    }
  }
}

/** Yields the trees of a batch, each with a function that selects its [V, width] rows of a [B, V, width] array. */
export function* treesOf(
  inputs: { readonly order: HostArray; readonly parent: HostArray },
  batch: number,
  numVertices: number,
): Generator<{ tree: RootedTree; rows: (values: HostArray, width: number) => Float32Array }> {
  for (let b = 0; b < batch; b++) {
    const vertices = [b * numVertices, (b + 1) * numVertices] as const;
    const tree = { order: inputs.order.subarray(...vertices), parent: inputs.parent.subarray(...vertices) };
    const rows = (values: HostArray, width: number) =>
      values.subarray(vertices[0] * width, vertices[1] * width) as Float32Array;
    yield { tree, rows };
  }
}
