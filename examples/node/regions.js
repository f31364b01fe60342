/** Ops for models of one's own: how many pixels of one colour hang together, at each pixel of a drawing. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { boruvkaMST, edgeDissimilarity, gridGraph, parentDissimilarity, treeScan } from 'tfjs-grootvl';

const drawing = ['..##..', '..##..', '......', '.###.#'];
const [height, width] = [drawing.length, drawing[0].length];
const colours = [...drawing.join('')].map((pixel) => Number(pixel === '#'));
const features = tf.tensor3d(colours, [1, height * width, 1]);

const edges = gridGraph(height, width); // [E, 2]
const weights = edgeDissimilarity(features, edges, { metric: 'manhattan' }); // [B, E], smaller means more alike
const tree = boruvkaMST(weights, edges, { numVertices: height * width });

// On the edge from a vertex to its parent: 1 where both have the same colour, 0 at a border.
const decay = tf.cast(tf.equal(parentDissimilarity(features, tree, { metric: 'manhattan' }), 0), 'float32');
const x = tf.onesLike(features);

const y = treeScan(x, decay, tree); // [B, V, D]: every vertex receives from every other, in O(V D)

tf.print(tf.reshape(y, [height, width]));
