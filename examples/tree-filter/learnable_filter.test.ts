/** The example and the listings of docs/family.md, on every backend of Node. On webgl: gpu/webgl/training.test.ts. */
import { readFileSync } from 'node:fs';
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

t.test('the listings of docs/family.md are parts of this example', async (t) => {
  const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
  const lines = (text: string) =>
    text
      .split('\n')
      .map((line) => line.trim())
      .join('\n');
  const sources = lines(['learnable_filter.ts', 'uses.ts'].map(read).join('\n'));
  const listings = [...read('../../docs/family.md').matchAll(/```js\n([^`]*)```/g)].map(([, code]) =>
    lines(code.trim()),
  );
  t.ok(listings.length >= 6);
  for (const listing of listings) t.ok(sources.includes(listing), listing.split('\n')[0]);
});
