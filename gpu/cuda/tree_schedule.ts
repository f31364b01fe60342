/** What tree scans know of a tree: its breadth-first order, and where levels and children start in it. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Block } from './backend/allocator.js';
import { WARP } from './backend/kernels/constants.js';
import type { DeviceTensor, KernelCall } from './backend/kernels.js';
import { IMAGE_THREADS } from './constants.js';
import { DerivedBlocks } from './derived_blocks.js';
import { breadthFirst } from './spanning_tree.js';

const INT_BYTES = 4;

/** Trees that boruvkaMST made: the data of `parent` and the shape of both by the data of `order`. */
const breadthFirstTrees = new WeakMap<object, { readonly parent: object; readonly shape: string }>();

/** Remembers a tree that is in breadth-first order. */
export function rememberBreadthFirst(order: TensorInfo, parent: TensorInfo): void {
  breadthFirstTrees.set(order.dataId, { parent: parent.dataId, shape: `${order.shape}` });
}

function isBreadthFirst(order: TensorInfo, parent: TensorInfo): boolean {
  const known = breadthFirstTrees.get(order.dataId);
  return known?.parent === parent.dataId && known.shape === `${order.shape}`;
}

/** A tree in breadth-first order, which need not be the order that it was given in. */
export interface ScheduledTree {
  readonly order: Block;
  readonly parent: Block;
  /** See tree_schedule.h. */
  readonly schedules: Block;
}

/** The schedule of a tree [B, V] with parents before their children, made when it is needed for the first time. */
export function scheduleOf(call: KernelCall, order: DeviceTensor, parent: DeviceTensor): ScheduledTree {
  const [batch, numVertices] = order.shape;
  const isOrdered = isBreadthFirst(order, parent);
  const counts = [2 * numVertices + 3, ...(isOrdered ? [] : [numVertices, numVertices])];
  const [schedules, newOrder = order, newParent = parent] = DerivedBlocks.of(call.backend).get(
    order,
    parent,
    counts.map((count) => INT_BYTES * batch * count),
    (schedules, newOrder = order, newParent = parent) => {
      if (!isOrdered) breadthFirst(call, { order, parent, newOrder, newParent }, { batch, numVertices });
      const threads = Math.min(IMAGE_THREADS, WARP * Math.ceil(numVertices / WARP));
      call.launch('tree_schedule', { blocks: batch, threads }, newParent, schedules, numVertices);
    },
  );
  return { order: newOrder, parent: newParent, schedules };
}
