/**
 * BoruvkaMST: weights of a whole batch to the host in one read-back, trees there. They stay on the host until a scan
 * makes its tables of them (tree_tables.ts): the tree itself is not uploaded.
 */
import { BoruvkaMST } from '../../plugin/ops/boruvka_mst.js';
import { registerHostKernelOnWebgl } from './kernels.js';

registerHostKernelOnWebgl(BoruvkaMST);
