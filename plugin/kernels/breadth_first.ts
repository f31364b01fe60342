/** Reorders trees breadth-first, the order that kernels rely on: the children of a vertex are adjacent. */

/** Trees [B, V]: see `Tree` in plugin/ops/boruvka_mst.ts. */
export interface TreeValues {
  readonly order: Int32Array;
  readonly parent: Int32Array;
}

/**
 * Returns trees in breadth-first order, with siblings ordered as in `order`; undefined if they already are in such an order.
 * @param trees [B, V], parents before their children.
 */
export function breadthFirst(
  { order, parent }: TreeValues,
  batch: number,
  numVertices: number,
): TreeValues | undefined {
  if (isBreadthFirst(parent, numVertices)) return undefined;
  const result = { order: new Int32Array(order.length), parent: new Int32Array(parent.length) };
  for (let b = 0; b < batch; b++) {
    const rowOf = (values: Int32Array) => values.subarray(b * numVertices, (b + 1) * numVertices);
    reorder(rowOf(order), rowOf(parent), rowOf(result.order), rowOf(result.parent));
  }
  return result;
}

/** Parent positions of a breadth-first order never decrease. */
function isBreadthFirst(parent: Int32Array, numVertices: number): boolean {
  return parent.every((position, at) => at % numVertices === 0 || position >= parent[at - 1]);
}

function reorder(order: Int32Array, parent: Int32Array, newOrder: Int32Array, newParent: Int32Array): void {
  const numVertices = order.length;
  const firstChild = new Int32Array(numVertices).fill(-1);
  const nextSibling = new Int32Array(numVertices).fill(-1);
  for (let i = numVertices - 1; i > 0; i--) {
    nextSibling[i] = firstChild[parent[i]];
    firstChild[parent[i]] = i;
  }
  const queue = new Int32Array(numVertices); // positions in `order`
  for (let i = 0, end = 1; i < end; i++) {
    newOrder[i] = order[queue[i]];
    for (let child = firstChild[queue[i]]; child >= 0; child = nextSibling[child]) {
      queue[end] = child;
      newParent[end++] = i;
    }
  }
}
