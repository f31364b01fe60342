/** The package in a bundler: its entry points by name, built for a browser with tree shaking. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import t from 'tap';
import { fixturePath, readFixture } from './fixtures.js';
import { maxDifference } from './measure.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A typical page: a dropped file is converted to a model, and the model predicts. */
const PAGE = `
  import 'tfjs-grootvl';
  import * as tf from '@tensorflow/tfjs-core';
  import { loadGraphModel } from '@tensorflow/tfjs-converter';
  import '@tensorflow/tfjs-backend-cpu';
  import { convertCheckpoint, MemorySink } from 'tfjs-grootvl/converters';

  export async function predict(file, pixels, shape) {
    await tf.setBackend('cpu');
    tf.enableProdMode();
    const sink = new MemorySink();
    await convertCheckpoint(file, sink);
    const model = await loadGraphModel(tf.io.fromMemory(sink.artifacts()));
    return model.predict(tf.tensor(pixels, shape)).data();
  }`;

t.test('a page that converts and predicts, bundled with esbuild', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'grootvl-bundle-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, 'page.mjs');
  const { metafile, warnings } = await build({
    stdin: { contents: PAGE, resolveDir: ROOT },
    bundle: true,
    platform: 'browser',
    format: 'esm',
    outfile,
    metafile: true,
    logLevel: 'silent',
    // tfjs detects its environment: here it must detect the worker of a page.
    define: { 'process.versions.node': 'undefined', WorkerGlobalScope: 'Object' },
  });
  t.same(warnings, []);
  const ours = Object.keys(metafile.inputs).filter((path) => path.startsWith('dist/'));
  t.ok(ours.length > 20);
  t.notOk(
    ours.some((path) => path.startsWith('dist/node/')),
    'nothing that needs Node',
  );

  const { predict } = await import(pathToFileURL(outfile).href);
  const expected = readFixture('grootv/grootv_tiny_fp16_expected.safetensors');
  const { shape, values } = expected.tensor('rgb.32x32');
  const file = new Blob([readFileSync(fixturePath('grootv/grootv_tiny_fp16.pth') as string)]);
  const logits = await predict(file, Float32Array.from(values), shape);
  t.ok(maxDifference(logits, expected.tensor('logits.32x32').values) <= 1e-3);
});
