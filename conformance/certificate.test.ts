import t from 'tap';
import { certify } from './certificate.js';

t.test('a certificate says by how much an edge could be lighter', async (t) => {
  const triangle = [0, 1, 1, 2, 0, 2];
  t.same(certify([0, 1], [1, 2, 3], triangle, 3), { margin: -1, edge: 2 });
  t.same(certify([1, 2], [1, 2, 3], triangle, 3), { margin: 2, edge: 0 });
  t.throws(() => certify([0, 0], [1, 2, 3], triangle, 3), /no tree/);
});
