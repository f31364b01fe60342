/** Row files and the model that they belong to. */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { stubSegmenter } from '../../testing/stub_models.js';
import { kindOf } from '../many_images/kinds.js';
import { openRowOutput } from './row_output.js';

t.test('a model that is changed between its digest and its weights is refused', async (t) => {
  const folder = t.testdir();
  const model = join(folder, 'model');
  mkdirSync(model);
  for (const [file, bytes] of (await stubSegmenter()).files) writeFileSync(join(model, file), bytes);
  const spec = { kind: 'segment', model, backend: 'cpu', options: {} } as const;
  const flags = { rows: join(folder, 'rows.ndjson'), workers: 1, backend: 'cpu' } as const;
  const output = await openRowOutput(await kindOf(spec), spec, flags, false);
  if (!output) throw new Error('no output');
  await output.checkModel();
  utimesSync(join(model, 'model.json'), 1, 1);
  await t.rejects(output.checkModel(), {
    message: `${model}: the model was changed while it was read`,
  });
  await output.close();
});
