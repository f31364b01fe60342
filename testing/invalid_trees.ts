/**
 * A shared test: invalid trees and graphs, for every op that takes one. Kernels index memory with these ids, so each must be
 * refused before a kernel runs, even if the data was validated before with another shape.
 */
import * as tf from '@tensorflow/tfjs-core';
import type t from 'tap';
import { boruvkaMST, gridGraph, type Tree, treeScan } from '../plugin/index.js';
import { declaredOp } from '../plugin/ops/declare.js';
import { OPS } from '../plugin/ops/index.js';
import { runOp } from '../plugin/ops/kernels.js';
import { selectiveTreeScanSpec } from '../plugin/ops/selective_tree_scan.spec.js';

type Tap = Pick<typeof t, 'throws' | 'ok'>;

/** A call of an op's kernel. */
export interface Call {
  readonly what: string;
  readonly op: string;
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly attributes?: Readonly<Record<string, number>>;
}

/** Sizes that the letters of declared shapes do not determine. */
const CHANNELS = 3;
const STATES = 2;

/** The other inputs of an op that takes a tree [B, V], by their declared letters; values from -1 to 1. */
function inputsBeside(op: (typeof OPS)[number], batch: number, vertices: number): Record<string, tf.Tensor> {
  const sizes: Record<string, number> = {
    B: batch,
    V: vertices,
    L: vertices,
    D: CHANNELS,
    C: CHANNELS,
    G: 1,
    N: STATES,
  };
  return Object.fromEntries(
    Object.entries(op.inputs)
      .filter(([name]) => name !== 'order' && name !== 'parent')
      .map(([name, { shape }]) => {
        const extents = shape.map((letter) => sizes[letter]);
        const size = extents.reduce((product, extent) => product * extent, 1);
        const values = Float32Array.from({ length: size }, (_, i) => Math.sin(i));
        return [name, tf.tensor(values, extents)];
      }),
  );
}

/** 1 for every number without a default. */
function attributesOf({ attributes }: (typeof OPS)[number]): Record<string, number> {
  const missing = Object.entries(attributes).filter(
    ([, { type, default: value }]) => (type === 'number' || type === 'integer') && value === undefined,
  );
  return Object.fromEntries(missing.map(([name]) => [name, 1]));
}

/** Ops of `OPS` that take an order and a parent. */
export const TREE_OPS = OPS.filter(({ inputs }) => 'order' in inputs && 'parent' in inputs);

/** A chain of `vertices` from vertex 0, validated or created with the shape [1, vertices]. */
const CHECKED: Readonly<Record<string, (vertices: number) => { order: tf.Tensor; parent: tf.Tensor }>> = {
  'made by boruvkaMST': (vertices) =>
    boruvkaMST(tf.zeros([1, vertices - 1]), gridGraph(1, vertices), { numVertices: vertices }),
  'checked by treeScan': (vertices) => {
    const at = (shift: number) => Int32Array.from({ length: vertices }, (_, i) => Math.max(0, i - shift));
    const [order, parent] = [at(0), at(1)].map((ids) => tf.tensor2d(ids, [1, vertices], 'int32'));
    const x = tf.zeros([1, vertices, 1]);
    treeScan(x, x, { order, parent } as Tree).dispose();
    return { order, parent };
  },
};

/** Calls that must throw an OpError: validated trees with other shapes, or with other parents. */
export function reshapedTrees(): Call[] {
  const V = 4096;
  const shapes = [
    [V / 2, 2],
    [2, V / 2],
    [V, 1],
    [64, 64],
  ];
  const calls: Call[] = [];
  for (const [origin, make] of Object.entries(CHECKED)) {
    const checked = make(V);
    const views: Readonly<Record<string, (tensor: tf.Tensor, shape: number[]) => tf.Tensor>> = {
      reshaped: (tensor, shape) => tf.reshape(tensor, shape),
      'reshaped twice': (tensor, shape) => tf.reshape(tf.expandDims(tensor, 0), shape),
      'a clone, reshaped': (tensor, shape) => tf.reshape(tf.clone(tensor), shape),
    };
    for (const op of TREE_OPS) {
      const attributes = attributesOf(op);
      for (const shape of shapes) {
        for (const [view, look] of Object.entries(views)) {
          const [order, parent] = [look(checked.order, shape), look(checked.parent, shape)];
          const beside = inputsBeside(op, shape[0], shape[1]);
          calls.push({
            what: `a tree [1, ${V}] ${origin}, ${view} to [${shape}]`,
            op: op.name,
            inputs: { ...beside, order, parent },
            attributes,
          });
        }
      }
      const half = V / 2;
      const beside = inputsBeside(op, 1, half);
      for (const begin of [1, half]) {
        const [order, parent] = [checked.order, checked.parent].map((ids) =>
          tf.slice(ids, [0, begin], [1, half]),
        );
        calls.push({
          what: `${half} positions from ${begin} of a tree [1, ${V}] ${origin}`,
          op: op.name,
          inputs: { ...beside, order, parent },
          attributes,
        });
      }
      const swapped = { order: checked.order, parent: checked.order };
      calls.push({
        what: `a tree ${origin} whose parents are its order`,
        op: op.name,
        inputs: { ...inputsBeside(op, 1, V), ...swapped },
        attributes,
      });
    }
  }
  return calls;
}

/** Trees of selective scans that are rooted at a vertex other than 0, the last token. */
export function otherRoots(): Call[] {
  const op = selectiveTreeScanSpec.op;
  const ids = (values: number[][]) => tf.tensor2d(values, undefined, 'int32');
  const rootedAt = (root: number) => {
    const { order, parent } = boruvkaMST(tf.zeros([1, 3]), gridGraph(1, 4), { numVertices: 4, root });
    return { order, parent };
  };
  const chain = { order: [0, 1, 2, 3], parent: [0, 0, 1, 2] };
  const backwards = { order: [3, 2, 1, 0], parent: [0, 0, 1, 2] };
  const trees = {
    'a chain from its last vertex': { order: ids([backwards.order]), parent: ids([backwards.parent]) },
    'the second tree of a batch': {
      order: ids([chain.order, backwards.order]),
      parent: ids([chain.parent, backwards.parent]),
    },
    'a tree that boruvkaMST rooted at 1': rootedAt(1),
    'a tree that boruvkaMST rooted at 3': rootedAt(3),
  };
  return Object.entries(trees).map(([what, { order, parent }]) => ({
    what,
    op: op.name,
    inputs: { ...inputsBeside(op, order.shape[0] as number, 4), order, parent },
  }));
}

/** Runs the kernel, or its fallback on a backend without one, and reads the results. */
export function run({ op, inputs, attributes }: Call): tf.Tensor[] {
  const declaration = declaredOp(op);
  const results =
    declaration && !tf.getKernel(op, tf.getBackend())
      ? runOp(declaration, inputs, attributes)
      : [
          tf.engine().runKernel(op, inputs as tf.NamedTensorMap, attributes) as tf.Tensor | tf.Tensor[],
        ].flat();
  for (const result of results) result.dataSync();
  return results;
}

/** Fails unless every call is refused before its kernel runs, on the current backend. */
export function checkRefused(t: Tap, calls: () => Call[]): void {
  tf.tidy(() => {
    for (const call of calls()) {
      t.throws(() => run(call), { name: 'OpError', message: call.op }, `${call.op}: ${call.what}`);
    }
  });
}

/** The tests for all backends. */
export function checkTrees(t: Tap): void {
  // Unrelated tensors, between which the results of kernels are allocated.
  const others = Array.from({ length: 12 }, (_, i) => tf.fill([4096], i));
  others[5].dispose();
  checkRefused(t, reshapedTrees);
  checkRefused(t, otherRoots);
  for (const [i, other] of others.entries()) {
    if (!other.isDisposed)
      t.ok(
        other.dataSync().every((value) => value === i),
        `tensor ${i} is as it was`,
      );
    other.dispose();
  }
}
