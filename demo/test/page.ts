/** The built page in a real Chromium, as a person would have it. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import type { Test } from 'tap';
import { build } from 'vite';
import { sharedChromium } from '../../testing/chromium.js';

const CONFIG = fileURLToPath(new URL('../../demo/vite.config.ts', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};

const ISOLATION = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

let built: Promise<string> | undefined;

/** Builds the page once for all tests of a process. @returns its folder, removed when the process ends */
function builtDemo(): Promise<string> {
  built ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), 'grootvl-demo-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    await build({ configFile: CONFIG, logLevel: 'error', build: { outDir: folder } });
    return folder;
  })();
  return built;
}

export interface DemoOptions extends BrowserContextOptions {
  /** With the headers of a cross-origin isolated page. */
  readonly isolated?: boolean;
  /** Of every answer of the server, besides. */
  readonly headers?: Readonly<Record<string, string>>;
  /** In which folder of its host the page lies: `/a/b/`. */
  readonly folder?: string;
  /** A script that runs in the worker of the model before it does anything. */
  readonly inWorker?: string;
  /** Keeps itself for offline use, which takes as long as half of its start; not with `inWorker`. */
  readonly offline?: boolean;
}

export interface OpenedDemo {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly url: string;
  /** The folder that is served. */
  readonly files: string;
  /** What the page has said in its console, and what it has thrown. */
  readonly messages: string[];
  /** Stops the server, as a lost connection does. */
  readonly closeServer: () => void;
}

/** Opens the page in a browser profile of its own, and waits for the first prediction. All of it is closed after the test. */
export async function openDemo(t: Test, options: DemoOptions = {}): Promise<OpenedDemo> {
  const {
    isolated = false,
    headers = {},
    folder = '/',
    inWorker,
    offline = false,
    ...contextOptions
  } = options;
  const files = await builtDemo();
  const { url, close } = await serve(files, folder, { ...(isolated && ISOLATION), ...headers });
  const browser = await sharedChromium(t);
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    serviceWorkers: offline ? 'allow' : 'block', // one would answer with the worker's script as it is
    ...contextOptions,
  });
  t.teardown(async () => {
    await context.close();
    close();
  });
  if (inWorker !== undefined) {
    await context.route(/\/assets\/worker-/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `{ ${inWorker} }\n${await response.text()}` });
    });
  }
  const page = await context.newPage();
  const messages: string[] = [];
  page.on('console', (message) => {
    if (!offline && message.text().startsWith('Service Worker registration blocked')) return;
    messages.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', ({ message }) => messages.push(message));
  await page.goto(url);
  await page.locator('.predictions li').first().waitFor();
  return { page, context, url, files, messages, closeServer: close };
}

async function serve(
  files: string,
  folder: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ url: string; close: () => void }> {
  const server = createServer(({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    if (!pathname.startsWith(folder)) return response.writeHead(404).end();
    const path = decodeURIComponent(pathname.slice(folder.length));
    const file = join(files, path === '' || path.endsWith('/') ? `${path}index.html` : path);
    if (!file.startsWith(files) || !existsSync(file)) return response.writeHead(404).end();
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, ...headers }).end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${folder}`, close };
}
