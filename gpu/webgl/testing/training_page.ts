/** Tests what training needs, in a page. */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { checkChangedVariables } from '../../../testing/changed_variables.js';
import { checkConvolutionGradients } from '../../../testing/convolution_gradients.js';
import { checkMemory, classifierMemory } from '../../../testing/training_memory.js';
import { checkTreeFilterTraining } from '../../../testing/tree_filter_training.js';
import '../index.js';
import { pageTest, quickPageTest, tf } from './page_test.js';

// tfjs's own kernels compile a shader per shape, so only some cases run here; our kernels, on wasm and cuda, run all cases.
const every = process.env.GROOTVL_LONG ? 1 : 3;

pageTest('gradients of convolutions', (t) =>
  checkConvolutionGradients(t, { bound: 2e-5, dilated: false, every }),
);

pageTest('variables that are assigned to', checkChangedVariables);

quickPageTest('a learnable tree filter', checkTreeFilterTraining);

quickPageTest('no tensor or texture is left behind', async (t) => {
  const backendCounts = () => {
    const memory = (tf.backend() as MathBackendWebGL).memory() as unknown as Record<string, number>;
    const { numBytesInGPU, numBytesInGPUAllocated, numBytesInGPUFree } = memory;
    return { numBytesInGPU, used: numBytesInGPUAllocated - numBytesInGPUFree };
  };
  // Accumulation, and a third level, are counted on the other backends: here, each level has another hundred shaders.
  const sizes = { side: 8, depths: [1, 1] }; // trees of 4 vertices and of 1
  checkMemory(t, await classifierMemory({ backendCounts }, { accumulate: 1 }, sizes));
});
