/** The pages of examples/, built in several ways and served, with a Content-Security-Policy where possible. */
import { cpSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { build as bundle } from 'esbuild';
import type { Browser } from 'playwright-core';
import type { Test } from 'tap';
import * as vite from 'vite';
import { copy, write } from './project.js';

/** Output of a page, and elsewhere. */
export interface Findings {
  /** Text shown for images. */
  readonly text: string;
  /** Message for a file that is not an image. */
  readonly refusal?: string;
  /** Warnings on the console. */
  readonly warnings: readonly string[];
}

/** Headers of all responses, unless the URL asks for others. */
const POLICY = { 'content-security-policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" };
const OTHER_HEADERS: Readonly<Record<string, Record<string, string>>> = {
  '?without-policy': {},
  '?isolated': {
    ...POLICY,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
  },
};

/** A flag of tfjs, in a page's URL: the advice of README.md if a bundler breaks the threads. */
const THREADS_OFF = 'tfjsflags=WASM_HAS_MULTITHREAD_SUPPORT:false';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/**
 * Builds all pages. GROOTVL_LONG=1: also Vite's build of the worker, which bundles what dev serves separately.
 *
 * @param model the folder of a converted classifier
 * @returns the URL of each page, by name
 */
export async function servePages(t: Test, project: string, model: string): Promise<Map<string, string>> {
  for (const folder of ['page', 'vite/public', 'worker/public']) copy(model, project, `${folder}/model`);
  await bundlePage(project);
  await bundleWorker(project);
  const origin = await serveFiles(t, project);
  const pages = new Map([
    ['page: an import map, no bundler', `${origin}/page/?without-policy`],
    ['page: esbuild, a classic script, isolated', `${origin}/page/classic.html?isolated&${THREADS_OFF}`],
    ['worker: esbuild, a classic worker', `${origin}/worker/classic/`],
  ]);
  for (const name of ['vite', 'worker']) {
    const root = join(project, name);
    if (name === 'vite' || process.env.GROOTVL_LONG) {
      await vite.build({ root, base: './', logLevel: 'error', build: { chunkSizeWarningLimit: 1e4 } });
      pages.set(`${name}: Vite build`, `${origin}/${name}/dist/`);
    }
    const server = await vite.createServer({
      root,
      cacheDir: join(project, '.vite', name), // not in node_modules, which the examples share here
      logLevel: 'error',
      server: { host: '127.0.0.1', port: 0, fs: { allow: [project] } },
    });
    await server.listen();
    t.teardown(() => server.close());
    pages.set(`${name}: Vite dev`, server.resolvedUrls?.local[0] as string);
  }
  return pages;
}

/** `page` as a single classic script, in its own page. */
async function bundlePage(project: string): Promise<void> {
  const folder = join(project, 'page');
  await bundle({
    entryPoints: [join(folder, 'page.js')],
    outfile: join(folder, 'classic.js'),
    bundle: true,
    format: 'iife',
    minify: true,
    logLevel: 'error',
  });
  const html = readFileSync(join(folder, 'index.html'), 'utf8');
  const script = '<script defer src="./classic.js"></script>';
  write(folder, 'classic.html', html.replace(/<script[\s\S]*<\/script>/, script));
}

/** `worker` with a classic worker: the arguments of `new Worker` in its page are for bundlers. */
async function bundleWorker(project: string): Promise<void> {
  const [source, target] = ['worker', 'worker/classic'].map((name) => join(project, name));
  await bundle({
    entryPoints: [join(source, 'worker.js')],
    outdir: target,
    bundle: true,
    format: 'iife',
    minify: true,
    loader: { '.wasm': 'file' },
    logLevel: 'error',
  });
  const page = readFileSync(join(source, 'page.js'), 'utf8');
  write(target, 'page.js', page.replace(/new Worker\(.*\);/, "new Worker('worker.js');"));
  cpSync(join(source, 'index.html'), join(target, 'index.html'));
  symlinkSync('../public/model', join(target, 'model'));
}

async function serveFiles(t: Test, folder: string): Promise<string> {
  const server = createServer(({ url = '/' }, response) => {
    const { pathname, search } = new URL(url, 'http://localhost');
    const name = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
    try {
      const bytes = readFileSync(join(folder, decodeURIComponent(name)));
      const type = TYPES[extname(name)] ?? 'application/octet-stream';
      const headers = OTHER_HEADERS[search.split('&')[0]] ?? POLICY;
      response.writeHead(200, { 'content-type': type, ...headers }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Opens a page and selects images in it, like a user. */
export async function visit(browser: Browser, url: string, images: string[]): Promise<Findings> {
  const page = await browser.newPage();
  const warnings: string[] = [];
  page.on('console', (message) => {
    if (message.type() !== 'log') warnings.push(message.text());
  });
  page.on('pageerror', ({ message }) => warnings.push(message));
  /** Waits for the text to change. */
  const textAfter = async (text: string) => {
    // A function: the policy refuses to evaluate strings.
    const changed = (old: string) => document.querySelector('pre')?.textContent !== old;
    await page.waitForFunction(changed, text, { timeout: 60_000 }).catch((error) => {
      throw new Error(`${url} did not run: ${error.message}; ${warnings.join('; ')}`);
    });
    return (await page.locator('pre').textContent()) as string;
  };
  try {
    await page.goto(url);
    const greeting = await textAfter('The model is loading…');
    const input = page.locator('input');
    if (await input.isDisabled()) return { text: greeting, warnings }; // why there is no model
    await input.setInputFiles(images);
    const text = await textAfter(greeting);
    await input.setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('notes') });
    return { text, refusal: await textAfter(text), warnings };
  } finally {
    await page.close();
  }
}
