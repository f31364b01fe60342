/** A language model in a page: converted from dropped files, loaded from URLs, generating text. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import t from 'tap';
import { fixturePath } from './fixtures.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TINY = fixturePath('grootl/grootl_tiny') as string;

const PAGE = `
  import { GrootL } from 'tfjs-grootvl';
  import { convertCheckpoint, filesDirectory, MemorySink } from 'tfjs-grootvl/converters';
  import * as tf from '@tensorflow/tfjs-core';
  import '@tensorflow/tfjs-backend-cpu';

  export async function convert(files) {
    const sink = new MemorySink();
    await convertCheckpoint(filesDirectory(files), sink);
    return sink.files;
  }
  export async function generate(url, prompt) {
    await tf.setBackend('cpu');
    tf.enableProdMode();
    const model = await GrootL.load(url);
    return model.generate(prompt, { maxTokens: 6 });
  }`;

t.test('bundled with esbuild', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'grootvl-bundle-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, 'page.mjs');
  const { warnings } = await build({
    stdin: { contents: PAGE, resolveDir: ROOT },
    bundle: true,
    platform: 'browser',
    format: 'esm',
    outfile,
    logLevel: 'silent',
    define: { 'process.versions.node': 'undefined', WorkerGlobalScope: 'Object' },
  });
  t.same(warnings, []);
  const page = await import(pathToFileURL(outfile).href);

  const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  const files: Map<string, Uint8Array> = await page.convert(
    names.map((name) => new File([readFileSync(join(TINY, name))], name)),
  );
  const asked: string[] = [];
  const fetched = globalThis.fetch;
  t.teardown(() => {
    globalThis.fetch = fetched;
  });
  globalThis.fetch = async (input) => {
    const url = String(input);
    asked.push(url);
    const name = /\/([^/?]+)(\?|$)/.exec(url)?.[1] ?? '';
    const body = files.get(name);
    if (!body) return new Response('', { status: 404 });
    const type = name.endsWith('.json') ? 'application/json' : 'application/octet-stream';
    return new Response(body.slice(), { headers: { 'content-type': type } });
  };
  const [greedy] = JSON.parse(readFileSync(join(TINY, 'expected.json'), 'utf8')).greedy;
  const { tokens } = await page.generate('https://host/models/model.json?v=2', greedy.prompt);
  t.same(tokens, greedy.tree_ids.slice(0, 6));
  t.ok(asked.includes('https://host/models/decode.json?v=2'));
  t.ok(asked.includes('https://host/models/tokenizer.json?v=2'));
  files.delete('tokenizer.json');
  await t.rejects(page.generate('https://host/models/model.json', 'text'), { message: /has no tokenizer/ });
});
