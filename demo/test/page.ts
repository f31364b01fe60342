/** The built page in a real Chromium, as a user would have it. */
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

/** Builds the page once for all tests of a process. @returns its folder, which is removed when the process ends */
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
  /** Additional headers of every response. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Folder of the page on its host: `/a/b/`. */
  readonly folder?: string;
  /** A script that runs in the model's worker before anything else. */
  readonly inWorker?: string;
  /** Caches itself for offline use, which takes half as long as its start; not with `inWorker`. */
  readonly offline?: boolean;
}

export interface OpenedDemo {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly url: string;
  /** The folder that is served. */
  readonly files: string;
  /** Console messages of the page, and errors that it has thrown. */
  readonly messages: string[];
  /** URLs that the page and its workers have requested. */
  readonly requests: string[];
  /** Stops the server, like a lost connection. */
  readonly closeServer: () => void;
}

/** Opens the page in a separate browser profile, and waits for the first prediction. Everything is closed after the test. */
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
    serviceWorkers: offline ? 'allow' : 'block', // a service worker would answer with the unmodified worker script
    ...contextOptions,
  });
  t.teardown(async () => {
    // A timeout says which element is missing, not what the page shows instead.
    if (!t.passing()) for (const page of context.pages()) t.comment(await page.locator('body').innerText());
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
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(url);
  await page.locator('.predictions li').first().waitFor();
  return { page, context, url, files, messages, requests, closeServer: close };
}

/** Shows the smallest tree: with the default size the plain backend and software renderers take ten times as long. */
export async function chooseSmallestSize(page: Page, grid = '16 × 16'): Promise<void> {
  await page.getByRole('slider', { name: 'Size' }).focus();
  await page.keyboard.press('Home');
  await page.locator('#reading', { hasText: `of ${grid}` }).waitFor();
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
