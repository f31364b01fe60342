/** The example on every backend of Node. On webgl: gpu/webgl/training.test.ts. */
import t from 'tap';
import { BackendMissing } from '../../conformance/backend.js';
import { nodeLoaders } from '../../conformance/runners/node_backends.js';
import { standardBackend } from '../../conformance/runners/standard.js';
import { backendsOn } from '../../plugin/backends.js';
import { checkTreeFilterTraining } from '../../testing/tree_filter_training.js';

for (const name of backendsOn('node')) {
  t.test(`a learnable tree filter trains on ${name}`, async (t) => {
    const backend = standardBackend(name, nodeLoaders);
    try {
      t.comment(await backend.start());
    } catch (error) {
      if (!(error instanceof BackendMissing)) throw error;
      t.pass(name, { skip: error.message });
      return;
    }
    await checkTreeFilterTraining(t);
    await backend.stop?.();
  });
}
