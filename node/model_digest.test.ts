import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { identifyModel } from './model_digest.js';

const JSON_TEXT = JSON.stringify({
  format: 'graph-model',
  modelTopology: { node: [], versions: {} },
  weightsManifest: [
    { paths: ['b.bin', 'a.bin'], weights: [{ name: 'w', shape: [4], dtype: 'float32' }] },
    { paths: ['c.bin'], weights: [{ name: 'v', shape: [1], dtype: 'float32' }] },
  ],
});
const FILES = { 'model.json': JSON_TEXT, 'a.bin': '01234567', 'b.bin': 'abcdefgh', 'c.bin': 'wxyz' };
const DIGEST = createHash('sha256').update(`${JSON_TEXT}abcdefgh01234567wxyz`).digest('hex');

t.test('the digest is that of the JSON and the shards, one after another in their order', async (t) => {
  const folder = t.testdir(FILES);
  t.equal((await identifyModel(folder)).digest, DIGEST);
  t.equal((await identifyModel(join(folder, 'model.json'))).digest, DIGEST);
});

t.test('of a URL it is the same', async (t) => {
  const folder = t.testdir(FILES);
  const server = createServer((request, response) => {
    readFile(join(folder, new URL(request.url ?? '', 'http://h').pathname)).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  }).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { digest, isUntouched } = await identifyModel(`${url}/model.json?token=1`);
  t.equal(digest, DIGEST);
  t.equal((await identifyModel(url)).digest, DIGEST);
  t.equal(await isUntouched(), true);
  await rm(join(folder, 'c.bin'));
  await t.rejects(identifyModel(url), { message: `${url}/c.bin: the server answered 404` });
  server.closeAllConnections();
  server.close();
  await t.rejects(identifyModel(url), { message: /model\.json: cannot be fetched/ });
});

t.test('a model of which a file is written or removed is touched', async (t) => {
  const folder = t.testdir(FILES);
  const { isUntouched } = await identifyModel(folder);
  t.equal(await isUntouched(), true);
  await writeFile(join(folder, 'b.bin'), 'abcdefgh');
  await utimes(join(folder, 'b.bin'), 1, 1);
  t.equal(await isUntouched(), false);
  const again = await identifyModel(folder);
  await rm(join(folder, 'c.bin'));
  t.equal(await again.isUntouched(), false);
  await t.rejects(identifyModel(folder), { message: /c\.bin": no such file/ });
});
