import { join } from 'node:path';
import t from 'tap';
import { bytesOf, filesOf } from '../../testing/changed_files.js';
import { fixturePath } from '../../testing/fixtures.js';
import { loadCases, memorySource, runConformance } from '../index.js';
import { nodeLoaders } from '../node.js';
import { standardBackend } from '../runners/standard.js';

t.test('every form of the weights, and adapters, where the whole fixtures are', async (t) => {
  const shared = fixturePath('grootl/grootl_tiny/sharded');
  const lora = fixturePath('grootl/grootl_tiny_lora/expected.safetensors');
  if (!shared || !lora) {
    t.pass('forms and adapters', { skip: 'they are not here' });
    return;
  }
  const files = new Map<string, Uint8Array>();
  for (const folder of ['grootl_tiny', 'grootl_tiny_lora']) {
    const place = join(shared, '../..', folder);
    for (const [path, bytes] of filesOf(place)) files.set(`models/${folder}/${path}`, bytes);
  }
  const cases = await loadCases(memorySource(files));
  t.notOk(
    cases.find(({ kind }) => kind === 'skipped'),
    'every file is used',
  );
  const names = cases.filter(({ op }) => op === 'GrootL logits').map(({ name }) => name);
  for (const form of ['model.safetensors', 'pytorch_model.bin', 'sharded/model.safetensors.index.json']) {
    t.ok(names.includes(`expected_logits p2 of ${form}`), form);
  }
  for (const form of [
    'p0 merged of adapter_model.safetensors',
    'p1 merged of adapter_model.bin',
    'p1 unmerged of',
  ]) {
    t.ok(
      names.some((name) => name.includes(form)),
      form,
    );
  }
  const report = await runConformance({ backends: [standardBackend('wasm', nodeLoaders)], cases });
  t.match(report.summary, { fail: 0, skip: 0 });
  // Without its base model an adapter is skipped, with the reason.
  const alone = new Map([...files].filter(([path]) => path.startsWith('models/grootl_tiny_lora/')));
  const [skipped] = await loadCases(memorySource(alone));
  t.match(skipped, { kind: 'skipped', reason: /the model grootl_tiny of the adapter in .* is not there/ });
});

t.test('files that are not cases, and broken ones', async (t) => {
  const text = (value: string) => new TextEncoder().encode(value);
  const files = new Map([
    ['broken.safetensors', text('nonsense')],
    ['alone.pth', text('')],
    ['notes.txt', text('')],
    ['a/grootv_tiny_bf16_expected.safetensors', bytesOf('grootv/grootv_tiny_bf16_expected.safetensors')],
  ]);
  const cases = await loadCases(memorySource(files));
  const report = await runConformance({ backends: [standardBackend('cpu', nodeLoaders)], cases });
  const reason = (name: string) => report.cases.find((each) => each.case.startsWith(name));
  t.match(reason('broken'), { verdict: 'fail', reason: /safetensors/ });
  t.match(reason('alone.pth'), { verdict: 'skip', reason: /no file with expected values names/ });
  t.match(reason('grootv_tiny_bf16'), { verdict: 'skip', reason: /the checkpoint of .* is not there/ });
  t.equal(report.cases.length, 3);
});
