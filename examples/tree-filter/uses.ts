/** What docs/family.md shows: each function is one of its listings, run on every backend by learnable_filter.test.ts. */
import * as tf from '@tensorflow/tfjs';
import {
  atParent,
  boruvkaMST,
  edgeDissimilarity,
  gridGraph,
  gridTree,
  levelSetLoss,
  normalizedTreeScan,
  parentAffinity,
  parentVertices,
  treeEnergyLoss,
  treeFilter,
  treeScan,
} from '../../plugin/index.js';

type Map4D = tf.Tensor4D;

/** Maps [B, H, W, D] and [B, H, W, C], filtered. */
export function filterMap(feature: Map4D, image: Map4D) {
  const smooth = treeFilter(feature, { embed: image, sigma: 0.02 });
  const grouped = treeFilter(feature, { guide: image, groups: 4 }); // affinities of the feature itself
  return { smooth, grouped };
}

/** The same as the first, step by step: for models of one's own. */
export function filterByHand(feature: Map4D, image: Map4D) {
  const [batch, height, width, channels] = feature.shape;
  const numVertices = height * width;
  const tree = gridTree(image, { metric: 'euclidean', mapping: 'plus_one' });
  const colours = tf.reshape(image, [batch, numVertices, image.shape[3]]);
  const decay = parentAffinity(colours, tree, { sigma: 0.02 }); // [B, V, 1]: one for all channels
  const x = tf.reshape(feature, [batch, numVertices, channels]);
  const y = normalizedTreeScan(x, decay, tree); // treeScan(x, decay, tree) / treeScan(ones, decay, tree)
  return tf.reshape(y, feature.shape);
}

/** Scans along a tree of one's own, with decays made of what stands at the parents. */
export function scanOwnTree(x: tf.Tensor3D, height: number, width: number) {
  const edges = gridGraph(height, width);
  const weights = edgeDissimilarity(x, edges, { metric: 'euclidean' });
  const tree = boruvkaMST(tf.exp(weights), edges, { numVertices: height * width });
  const parents = parentVertices(tree); // [B, V]: ids of vertices, -1 at the root
  const decay = tf.sigmoid(tf.mul(x, atParent(x, tree))); // differentiable on every backend
  return { y: treeScan(x, decay, tree), parents };
}

/** The loss of a segmenter of which few pixels have labels. */
export function lossOfFewLabels(logits: Map4D, image: Map4D, unlabeled: tf.Tensor3D, features: Map4D) {
  return treeEnergyLoss(logits, image, unlabeled, { features, sigma: 0.02, weight: 0.4 });
}

/** The loss of masks of which the boxes are known. */
export function lossOfBoxes(maskLogits: tf.Tensor3D, box: tf.Tensor3D, image: Map4D, features: Map4D) {
  const { ofImage, ofFeatures } = levelSetLoss(maskLogits, box, image, features);
  return tf.mean(tf.add(ofImage, ofFeatures));
}
