/** Tests invalid trees and graphs: they are rejected before a kernel runs. */
import t from 'tap';
import { checkTrees } from '../../testing/invalid_trees.js';
import './index.js';
import { startCuda } from './backend/testing/cuda_backend.js';

await startCuda();

t.test('trees in another shape, or with another root, are refused', async (t) => checkTrees(t));
