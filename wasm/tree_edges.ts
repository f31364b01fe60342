/** The list of edges that the kernels of tree scans follow: see tree_edges.h. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WasmFunctions } from './functions.js';
import type { Cached } from './kernels.js';

/** Values and decays of an image up to which a processor's last cache is taken to hold them. */
const CACHED_BYTES = 12 << 20;
/** Rows of a cell of larger images, for the second cache of 1 MB, in which other rows are as well. */
const CELL_BYTES = 384 << 10;
/** One cell, however many vertices. */
const WHOLE = 30;

/** What it needs of a kernel's arguments: see kernels.ts. */
interface Memory {
  readonly inputs: { readonly order: number; readonly parent: number };
  readonly tensors: { readonly order: TensorInfo; readonly parent: TensorInfo };
  readonly shapes: { readonly x: readonly number[]; readonly decay: readonly number[] };
  readonly functions: Pick<WasmFunctions, 'tree_edges_bytes' | 'tree_edges_scratch' | 'tree_edges'>;
  readonly cached: Cached;
  readonly scratch: (bytes: number) => number;
}

/**
 * The arguments `edges` and `shift` for an image. Its order decides in which order sums are made: it depends on the sizes of
 * whole rows, not on how these are split. Lists are kept with the tree.
 */
export function edgesOf({
  inputs,
  tensors,
  shapes,
  functions,
  cached,
  scratch,
}: Memory): (image: number) => readonly [edges: number, shift: number] {
  const [batch, vertices, channels] = shapes.x;
  const groups = shapes.decay[2];
  const isLarge = 4 * vertices * (2 * channels + groups) > CACHED_BYTES;
  const shift = isLarge ? Math.max(Math.floor(Math.log2(CELL_BYTES / (4 * channels))), 0) : WHOLE;
  const bytes = functions.tree_edges_bytes(vertices, shift);
  const table = cached([tensors.order, tensors.parent], `edges by 2^${shift}`, batch * bytes, (address) => {
    const space = scratch(functions.tree_edges_scratch(vertices, shift));
    for (let image = 0; image < batch; image++) {
      const tree = 4 * image * vertices;
      functions.tree_edges(
        ...([inputs.order + tree, inputs.parent + tree, address + image * bytes, space] as const),
        ...([vertices, shift] as const),
      );
    }
  });
  return (image) => [table + image * bytes, shift];
}
