/** This entry point imported before tfjs itself. */
import '../index.js';
import { EdgeDissimilarity, gelu, TreeScan } from '../../../plugin/index.js';
import { hasOwnKernel } from '../../../plugin/ops/kernels.js';
import { pageTest, tf } from './page_test.js';

pageTest('imported before the backend', async (t) => {
  t.ok(hasOwnKernel(TreeScan, 'webgl') && hasOwnKernel(EdgeDissimilarity, 'webgl'), 'own kernels');
  t.atMost(Math.abs(gelu(tf.tensor1d([1])).dataSync()[0] - 0.8413447), 1e-6, 'a kernel runs');
});
