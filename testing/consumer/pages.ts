/** The README's page, built in several ways, each served with headers of its own. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { build as bundle } from 'esbuild';
import type { Browser } from 'playwright-core';
import type { Test } from 'tap';
import * as vite from 'vite';
import { asFunction, snippet, write } from './project.js';

/** What a page tells of itself. */
export interface Findings {
  readonly predictions?: readonly { readonly label: string; readonly probability: number }[];
  readonly error?: string;
  /** Of the console. */
  readonly warnings: readonly string[];
}

const PAGES = 'pages';
const IMAGE = '<img src="/digit.png">';
const HTML = (script: string) => `<!doctype html><meta charset="utf-8"><title>page</title>${IMAGE}${script}`;

const POLICY = { 'content-security-policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" };
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/** A way to build the page; the folder it leaves it in. */
interface Way {
  readonly headers?: Record<string, string>;
  build(project: string, folder: string): Promise<void>;
}

const esbuild = async (project: string, folder: string, before = '') => {
  write(project, `${folder}/page.mjs`, pageScript(before));
  await bundle({
    entryPoints: [join(project, folder, 'page.mjs')],
    outfile: join(project, folder, 'page.js'),
    bundle: true,
    format: 'iife',
    minify: true,
    logLevel: 'error',
  });
  write(project, `${folder}/index.html`, HTML('<script src="page.js"></script>'));
};

const viteProject = (project: string, folder: string) => {
  write(project, `${folder}/page.js`, pageScript());
  write(project, `${folder}/index.html`, HTML('<script type="module" src="./page.js"></script>'));
};

export const WAYS: Readonly<Record<string, Way>> = {
  'esbuild, as a classic script': { headers: POLICY, build: esbuild },
  'Vite build': {
    headers: POLICY,
    build: async (project, folder) => {
      viteProject(project, `${folder}/source`);
      await vite.build({
        root: join(project, folder, 'source'),
        configFile: false,
        base: './',
        logLevel: 'error',
        build: { outDir: '..', emptyOutDir: false, chunkSizeWarningLimit: 1e4 },
      });
    },
  },
  'an import map, no bundler': {
    build: async (project, folder) => {
      write(project, `${folder}/page.js`, pageScript());
      const map = JSON.stringify({ imports: IMPORTS });
      const scripts = `<script type="importmap">${map}</script><script type="module" src="page.js"></script>`;
      write(project, `${folder}/index.html`, HTML(scripts));
    },
  },
  'isolated, threads off': {
    headers: ISOLATED,
    build: (project, folder) =>
      esbuild(project, folder, `tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);`),
  },
};

const tfjs = (name: string) => `/node_modules/@tensorflow/tfjs-${name}/dist/tf-${name}.fesm.min.js`;
const nothing = 'data:text/javascript,export default {}';
const IMPORTS = {
  '@tensorflow/tfjs-core': tfjs('core'),
  '@tensorflow/tfjs-converter': tfjs('converter'),
  '@tensorflow/tfjs-backend-wasm': tfjs('backend-wasm'),
  '@huggingface/tokenizers': '/node_modules/@huggingface/tokenizers/dist/tokenizers.min.mjs',
  '@noble/hashes/': '/node_modules/@noble/hashes/',
  'tfjs-grootvl': '/node_modules/tfjs-grootvl/dist/plugin/index.js',
  'tfjs-grootvl/wasm': '/node_modules/tfjs-grootvl/dist/wasm/index.js',
  ...{ fs: nothing, os: nothing, path: nothing, perf_hooks: nothing }, // for tfjs's backend
};

/** The README's page, which leaves what it found in `window.findings`. */
function pageScript(before = ''): string {
  return asFunction(
    snippet('In a page'),
    `const image = document.querySelector('img'); await image.decode(); ${before}`,
    'return { predictions };',
    (call) => `window.findings = ${call}.catch((error) => ({ error: error.message }));\n`,
  );
}

/** Builds all pages. @returns by name, the address of each; and what Vite serves without building */
export async function servePages(t: Test, project: string): Promise<Map<string, string>> {
  const folders = new Map<string, Way>();
  const pages = new Map<string, string>();
  const server = createServer(({ url = '/' }, response) => {
    const path = decodeURIComponent(new URL(url, 'http://localhost').pathname);
    const [, folder] = /^\/pages\/([^/]+)\//.exec(path) ?? [];
    const name = path.endsWith('/') ? `${path}index.html` : path;
    try {
      const bytes = readFileSync(
        join(project, folder || /^\/node_modules\//.test(name) ? name : `public${name}`),
      );
      const type = TYPES[extname(name)] ?? 'application/octet-stream';
      response.writeHead(200, { 'content-type': type, ...folders.get(folder)?.headers }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const [i, [name, way]] of Object.entries(WAYS).entries()) {
    folders.set(String(i), way);
    await way.build(project, `${PAGES}/${i}`);
    pages.set(name, `${origin}/${PAGES}/${i}/`);
  }
  viteProject(project, 'dev');
  const dev = await vite.createServer({
    root: join(project, 'dev'),
    configFile: false,
    publicDir: join(project, 'public'),
    logLevel: 'error',
    server: { host: '127.0.0.1', port: 0, fs: { allow: [project] }, hmr: false },
  });
  await dev.listen();
  t.teardown(() => dev.close());
  pages.set('Vite dev', dev.resolvedUrls?.local[0] as string);
  return pages;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.wasm': 'application/wasm',
};

/** Opens a page and waits for what it finds. */
export async function visit(browser: Browser, url: string): Promise<Findings> {
  const page = await browser.newPage();
  const warnings: string[] = [];
  page.on('console', (message) => {
    if (message.type() !== 'log') warnings.push(message.text());
  });
  page.on('pageerror', ({ message }) => warnings.push(message));
  try {
    await page.goto(url);
    await page.waitForFunction('window.findings', undefined, { timeout: 60_000 }).catch(() => {
      throw new Error(`${url} did not run: ${warnings.join('; ')}`);
    });
    return { ...((await page.evaluate('window.findings')) as Omit<Findings, 'warnings'>), warnings };
  } finally {
    await page.close();
  }
}
