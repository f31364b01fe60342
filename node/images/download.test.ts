/** Servers that do not answer, or only in part. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { download } from './download.js';
import { readImage } from './read_image.js';

t.test('servers that send less than they should', async (t) => {
  const server = createServer(({ url }, response) => {
    if (url === '/whole') response.end('12345');
    else if (url !== '/never') response.writeHead(200, { 'content-length': 5 }).write('123');
    if (url === '/cut') setTimeout(() => response.destroy(), 10);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const get = (path: string, options = {}) => download(new URL(`http://127.0.0.1:${port}/${path}`), options);
  t.equal(String(await get('whole')), '12345');
  for (const path of ['never', 'stalled']) {
    await t.rejects(
      get(path, { silenceMs: 50 }),
      { message: 'the server has sent nothing for 0.05 s' },
      path,
    );
    await t.rejects(
      get(path, { signal: AbortSignal.timeout(20) }),
      { message: /it cannot be fetched/ },
      path,
    );
  }
  await t.rejects(get('cut'), { message: 'it cannot be fetched (other side closed)' });
  await t.rejects(download(new URL(`https://127.0.0.1:${port}/whole`)), {
    message: 'it cannot be fetched (TLS: wrong version number)',
  });
});

t.test('what cannot be asked for', async (t) => {
  for (const [source, message] of [
    ['http://', 'cannot read image "http://": it is not a URL'],
    [
      's3://bucket/x.png',
      'cannot read image "s3://bucket/x.png": s3: is not fetched; expected a path, http: or https:',
    ],
    [
      'http://nowhere.invalid/x.png',
      /it cannot be fetched \(getaddrinfo (ENOTFOUND|EAI_AGAIN) nowhere\.invalid\)$/,
    ],
  ] as const) {
    await t.rejects(readImage(source), { message });
  }
});
