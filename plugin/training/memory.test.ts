/** Tests that training leaks no tensors on cpu and wasm. For webgl and cuda see gpu/. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { convertedFolder, sinkFiles } from '../../testing/language_models.js';
import {
  adapterMemory,
  type Counts,
  checkMemory,
  classifierMemory,
  type MemoryRun,
  type MemoryUse,
} from '../../testing/training_memory.js';
import { tfjsModule, watchAllocations } from '../../testing/wasm_backend.js';

await tf.setBackend('cpu');
const language = sinkFiles(await convertedFolder('grootl/grootl_tiny'));

/** Counts of tfjs's wasm backend: its memory, and what has been allocated in it from now on. */
function heapCounts(): () => Counts {
  const blocks = watchAllocations();
  return () => ({
    heapBytes: tfjsModule().HEAPU8.length,
    blocks: blocks.size,
    blockBytes: [...blocks.values()].reduce((all, bytes) => all + bytes, 0),
  });
}

/** The kinds of training. A step of the last two does the same on cpu as on wasm, and takes longer. */
const KINDS: Readonly<Record<string, (run: MemoryRun) => Promise<MemoryUse>>> = {
  'a classifier': classifierMemory,
  'a classifier by SGD, activations computed again': (run) =>
    classifierMemory(run, { checkpointing: true, optimizer: 'sgd' }),
  'an adapter': (run) => adapterMemory(language, run),
};

for (const [i, [kind, use]] of Object.entries(KINDS).entries()) {
  for (const backend of BACKENDS) {
    if (backend === 'cpu' && i > 0 && !process.env.GROOTVL_LONG) continue;
    t.test(`${kind} on ${backend}`, (t) =>
      onBackend(backend, async () => {
        checkMemory(t, await use({ backendCounts: backend === 'wasm' ? heapCounts() : undefined }));
      }),
    );
  }
}

t.test('a tensor that is left behind by each step is seen', async (t) => {
  await onBackend('wasm', async () => {
    const kept: tf.Tensor[] = [];
    const onStep = () => {
      kept.push(tf.ones([100]));
    };
    const use = await adapterMemory(language, { onStep, backendCounts: heapCounts() });
    t.same(use.changed, { numTensors: 1, numDataBuffers: 1, dataIds: 1, blocks: 1, blockBytes: 400 });
    t.equal(use.left, kept.length);
    tf.dispose(kept);
  });
});
