/** Imports this entry point after the backend has started. */
import { gelu, treeScan } from '../../../plugin/index.js';
import { OPS } from '../../../plugin/ops/index.js';
import { hasOwnKernel } from '../../../plugin/ops/kernels.js';
import { pageTest, tf } from './page_test.js';

pageTest('imported after the backend, twice', async (t) => {
  const said: string[] = [];
  console.warn = (message: string) => said.push(message);
  const x = tf.ones([1, 2, 1]);
  const tree = {
    order: tf.tensor2d([[1, 0]], [1, 2], 'int32'),
    parent: tf.tensor2d([[0, 0]], [1, 2], 'int32'),
  };
  t.equal(String(treeScan(x, x, tree).dataSync()), '2,2', 'on the host');
  t.equal(said.length, 1, 'with a warning');
  const own = () => OPS.filter((op) => hasOwnKernel(op, 'webgl')).length;
  t.equal(own(), 0, 'no kernel of its own');
  for (let time = 0; time < 2; time++) {
    const { ready } = await import('../index.js');
    await ready();
    t.ok(own() > 10, 'own kernels');
    t.equal(String(treeScan(x, x, tree).dataSync()), '2,2', 'on the GPU');
    t.atMost(Math.abs(gelu(tf.tensor1d([1])).dataSync()[0] - 0.8413447), 1e-6, 'another op');
  }
  t.equal(said.length, 1, 'no further warning');
});
