/** Tests that weights are those of the backend `cpu`, bit for bit. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { edgeDissimilarity, gridGraph } from '../../plugin/index.js';
import type { Metric } from '../../plugin/ops/edge_dissimilarity.js';
import { Random } from '../../plugin/ops/spec/random.js';
import './edge_dissimilarity.js';
import { LANES_FLAG } from './runner.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';

const METRICS: readonly Metric[] = ['cosine', 'euclidean', 'manhattan'];
/** No product of two is a denormal, which a device may flush to 0. */
const VALUES: Readonly<Record<string, (random: Random) => number>> = {
  usual: (random) => random.normal(),
  'of any size': (random) => random.normal() * 10 ** random.integer(-17, 17),
  alike: (random) => 1 + random.integer(0, 1) * 2 ** -20,
  'equal or zero': (random) => random.integer(0, 1),
  'not finite': (random) => random.pick([1, -1, 0, Number.NaN, Infinity, -Infinity, 3e38]),
};

const random = new Random(14, 'edge weights');
const backend = await startInNode();

for (const lanes of [64, 256]) {
  for (const [kind, draw] of Object.entries(VALUES)) {
    t.test(`${kind}, ${lanes} lanes`, { skip: !backend && NO_ADAPTER }, async (t) => {
      tf.env().set(LANES_FLAG, lanes);
      const shape: [number, number, number] = [2, 12, random.pick([1, 7, 8, 40])];
      const values = random.floats(shape[0] * shape[1] * shape[2], () => draw(random));
      for (const metric of METRICS) {
        const weigh = async (backend: string) => {
          await tf.setBackend(backend);
          const weights = tf.tidy(() =>
            edgeDissimilarity(tf.tensor(values.slice(), shape), gridGraph(3, 4), { metric }),
          );
          const bits = new Uint32Array((await weights.data()).slice().buffer);
          weights.dispose();
          // All NaNs are equal.
          return [...bits].map((word) => ((word & 0x7fffffff) > 0x7f800000 ? 'NaN' : word.toString(16)));
        };
        t.same(await weigh('webgpu'), await weigh('cpu'), metric);
      }
    });
  }
}
