/** Tensors of the fixtures, and the reference's trees in the form that our graphs take; also for tests in a page. */
import * as tf from '@tensorflow/tfjs-core';
import type { Fixture, FixtureTensor } from './fixture_format.js';

/** [N, C, H, W] -> [N, H, W, C]. */
export function toChannelsLast({ shape, values }: FixtureTensor): tf.Tensor4D {
  return tf.tidy(() =>
    tf.transpose(
      tf.tensor4d(values as Float32Array, shape as [number, number, number, number]),
      [0, 2, 3, 1],
    ),
  );
}

/** A tensor of the fixture, unchanged. */
export function toTensor({
  shape,
  values,
}: {
  readonly shape: readonly number[];
  readonly values: FixtureTensor['values'];
}): tf.Tensor {
  return values instanceof Int32Array
    ? tf.tensor(values, [...shape], 'int32')
    : tf.tensor(Float32Array.from(values), [...shape], 'float32');
}

/** `order` and `parent` positions, both [B, V] int32, of trees given by parent vertex ids, -1 for the root. */
export function orderOf({ shape, values }: FixtureTensor): { order: tf.Tensor2D; parent: tf.Tensor2D } {
  const [batch, numVertices] = shape;
  const order = new Int32Array(values.length);
  const parent = new Int32Array(values.length);
  for (let b = 0; b < batch; b++) {
    const at = b * numVertices;
    const children = Array.from({ length: numVertices }, () => [] as number[]);
    for (let v = 0; v < numVertices; v++) {
      if (values[at + v] < 0) order[at] = v;
      else children[values[at + v]].push(v);
    }
    for (let i = 0, end = 1; i < end; i++) {
      for (const child of children[order[at + i]]) {
        order[at + end] = child;
        parent[at + end] = i;
        end++;
      }
    }
  }
  return {
    order: tf.tensor2d(order, [batch, numVertices], 'int32'),
    parent: tf.tensor2d(parent, [batch, numVertices], 'int32'),
  };
}

/** The feeds that pin every block of a network of these depths to the reference's trees. */
export function pinnedTrees(
  fixture: Fixture,
  prefix: string,
  depths: readonly number[],
): Record<string, tf.Tensor> {
  const feeds: Record<string, tf.Tensor> = {};
  let index = 0;
  depths.forEach((depth, level) => {
    for (let block = 0; block < depth; block++, index++) {
      const { order, parent } = orderOf(fixture.tensor(`${prefix}.levels.${level}.blocks.${block}.parent`));
      feeds[`blocks_${index}/order`] = order;
      feeds[`blocks_${index}/parent`] = parent;
    }
  });
  return feeds;
}
