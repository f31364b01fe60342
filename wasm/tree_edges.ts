/** The list of edges that the kernels of tree scans follow: see tree_edges.h. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WasmFunctions } from './functions.js';
import type { Cached } from './kernels.js';

/** Size of the values and decays of an image up to which they are assumed to fit a processor's last-level cache. */
const CACHED_BYTES = 12 << 20;
/** Size of the rows of a cell for larger images, for a second-level cache of 1 MB, which holds other rows as well. */
const CELL_BYTES = 384 << 10;
/** A single cell, for any number of vertices. */
const WHOLE = 30;

/** The kernel arguments that it needs: see kernels.ts. */
interface Memory {
  readonly inputs: { readonly order: number; readonly parent: number };
  readonly tensors: { readonly order: TensorInfo; readonly parent: TensorInfo };
  readonly shapes: { readonly x: readonly number[]; readonly decay: readonly number[] };
  readonly functions: Pick<WasmFunctions, 'tree_edges_bytes' | 'tree_edges_scratch' | 'tree_edges'>;
  readonly cached: Cached;
  readonly scratch: (bytes: number) => number;
}

/**
 * Returns the arguments `edges` and `shift` for an image. The order of the list determines the order of summation, so it
 * depends on the sizes of whole rows, not on how these are split. Lists are cached with the tree.
 */
export function edgesOf(memory: Memory): (image: number) => readonly [edges: number, shift: number] {
  const { inputs, tensors, shapes, functions, cached, scratch } = memory;
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
