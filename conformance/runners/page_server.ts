/** A local server for the page, its modules and the case files. */
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { CaseSource } from '../source.js';

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

const PAGE =
  '<!doctype html><meta charset="utf-8"><title>conformance</title><script type="module" src="/page.js"></script>';

/** With these two headers a page is cross-origin isolated and may use threads. */
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export async function servePages(bundle: string, source: CaseSource, isolated: boolean): Promise<PageServer> {
  const tfjsWasm = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
  const server = createServer(async ({ url = '/' }, response) => {
    try {
      await answer(new URL(url, 'http://localhost').pathname, response);
    } catch (error) {
      response.writeHead(404).end((error as Error).message);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };

  async function answer(path: string, response: ServerResponse): Promise<void> {
    const send = (type: string, body: string | Uint8Array) =>
      response.writeHead(200, { 'Content-Type': type, ...(isolated && ISOLATION) }).end(body);
    if (path === '/') return void send('text/html', PAGE);
    if (path === '/page.js') return void send('text/javascript', bundle);
    if (path === '/cases.json') return void send('application/json', JSON.stringify(await source.list()));
    const [, folder, name] = /^\/([\w-]+)\/(.*)$/.exec(decodeURIComponent(path)) ?? [];
    if (folder === 'cases' && (await source.list()).includes(name)) {
      const file = await source.open(name);
      return void send('application/octet-stream', await file.read(0, file.size));
    }
    if (folder !== 'tfjs-wasm' || !/^[\w-]+\.wasm$/.test(name)) throw new Error(`there is no ${path}`);
    send('application/wasm', await readFile(join(tfjsWasm, name)));
  }
}
