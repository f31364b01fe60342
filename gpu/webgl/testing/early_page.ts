/** Imports this entry point before tfjs itself. */
import '../index.js';
import { gelu } from '../../../plugin/index.js';
import { OPS } from '../../../plugin/ops/index.js';
import { hasOwnKernel } from '../../../plugin/ops/kernels.js';
import { pageTest, tf } from './page_test.js';

pageTest('imported before the backend', async (t) => {
  t.ok(OPS.filter((op) => hasOwnKernel(op, 'webgl')).length > 10, 'own kernels');
  t.atMost(Math.abs(gelu(tf.tensor1d([1])).dataSync()[0] - 0.8413447), 1e-6, 'a kernel runs');
});
