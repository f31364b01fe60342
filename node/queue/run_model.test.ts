import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { identifyModel } from '../model_digest.js';
import { importPeer } from './redis.js';
import { RunModel } from './run_model.js';

const MODEL = {
  'model.json': JSON.stringify({
    format: 'graph-model',
    modelTopology: { node: [], versions: {} },
    weightsManifest: [{ paths: ['a.bin'], weights: [{ name: 'w', shape: [1], dtype: 'float32' }] }],
  }),
  'a.bin': '0123',
};

async function runOf(model: string) {
  const { digest } = await identifyModel(model);
  const spec = { task: { kind: 'classify', options: {} }, model: 'there', digest, batch: 8 };
  return { name: 'run', spec };
}

t.test('a model is the one that the run was added with', async (t) => {
  const model = t.testdir(MODEL);
  const run = await runOf(model);
  await (await RunModel.verify(run, model)).check();
  await writeFile(join(model, 'a.bin'), '4567');
  await t.rejects(RunModel.verify(run, model), {
    message: /^the model .* is not that of the run 'run': its SHA-256 is .*, expected .* of there$/,
  });
});

t.test('a model that is written again stays the one that it was, or ends the work', async (t) => {
  const model = t.testdir(MODEL);
  const verified = await RunModel.verify(await runOf(model), model);
  await writeFile(join(model, 'a.bin'), '0123');
  await verified.check();
  await writeFile(join(model, 'a.bin'), '4567');
  await t.rejects(verified.check(), { message: /was changed while the run 'run' was worked on .*expected/ });
  await rm(join(model, 'a.bin'));
  await t.rejects(verified.check(), { message: /was changed .*a\.bin": no such file/ });
});

t.test('without its packages the error says how they are installed', async (t) => {
  const missing = Object.assign(new Error("Cannot find package 'bullmq'"), { code: 'ERR_MODULE_NOT_FOUND' });
  await t.rejects(
    importPeer(() => Promise.reject(missing)),
    {
      message: 'grootvl queue needs the packages bullmq and ioredis: npm install bullmq ioredis',
    },
  );
  const other = new Error('other');
  await t.rejects(
    importPeer(() => Promise.reject(other)),
    other,
  );
});
