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

export interface Answer {
  readonly label: string;
  readonly probability: number;
}

/** What a page tells of itself. */
export interface Findings {
  readonly predictions?: readonly Answer[];
  /** Three answers to each of the digits. */
  readonly digits?: readonly (readonly Answer[])[];
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

/** A way to build the page into a folder of the project; `script` is the page's own. */
interface Way {
  readonly headers?: Record<string, string>;
  build(project: string, folder: string, script: string): Promise<void> | void;
}

/** Built once, for three ways to load it. A worker has the policy of its own script. */
const BUNDLE = `${PAGES}/bundle/page.js`;

const esbuild = async (project: string, script: string) => {
  write(project, 'page.mjs', script);
  await bundle({
    entryPoints: [join(project, 'page.mjs')],
    outfile: join(project, BUNDLE),
    bundle: true,
    format: 'iife',
    minify: true,
    logLevel: 'error',
  });
};
const bundlePage = (project: string, folder: string) =>
  write(project, `${folder}/index.html`, HTML(`<script src="/${BUNDLE}"></script>`));

/** Starts the script in a worker instead. */
const starter = (program: string) =>
  `new Worker(${program}).onmessage = ({ data }) => { window.findings = data; };\n`;

const viteProject = (project: string, folder: string, script: string) => {
  write(project, `${folder}/page.js`, script);
  write(project, `${folder}/index.html`, HTML('<script type="module" src="./page.js"></script>'));
};

export const WAYS: Readonly<Record<string, Way>> = {
  'esbuild, as a classic script': { headers: POLICY, build: bundlePage },
  'esbuild, in a classic worker': {
    headers: POLICY,
    build: (project, folder) => {
      write(project, `${folder}/start.js`, starter(`'/${BUNDLE}'`));
      write(project, `${folder}/index.html`, HTML('<script src="start.js"></script>'));
    },
  },
  'isolated, threads off': { headers: ISOLATED, build: bundlePage },
  'Vite build': {
    headers: POLICY,
    build: async (project, folder, script) => {
      viteProject(project, `${folder}/source`, script);
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
    build: (project, folder, script) => {
      write(project, `${folder}/page.js`, script);
      const map = JSON.stringify({ imports: IMPORTS });
      const scripts = `<script type="importmap">${map}</script><script type="module" src="page.js"></script>`;
      write(project, `${folder}/index.html`, HTML(scripts));
    },
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

/** The README's page, which leaves what it found in `findings`, and posts it where it is a worker. */
function pageScript(digits: readonly string[]): string {
  const urls = JSON.stringify(digits.map((name) => `/digits/${name}`));
  return asFunction(
    snippet('In a page'),
    `const image = globalThis.document?.querySelector('img') ?? '/digit.png';
    await image.decode?.();
    if (globalThis.crossOriginIsolated) tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);`,
    `const digits = await model.classify(${urls}, { top: 3 });
    return { predictions, digits };`,
    (call) => `${call}.catch((error) => ({ error: error.message })).then((findings) => {
      if (globalThis.document) globalThis.findings = findings;
      else postMessage(findings);
    });\n`,
  );
}

/** Builds all pages. @returns by name, the address of each; and what Vite serves without building */
export async function servePages(
  t: Test,
  project: string,
  digits: readonly string[],
): Promise<Map<string, string>> {
  const script = pageScript(digits);
  await esbuild(project, script);
  const folders = new Map<string, Pick<Way, 'headers'>>([['bundle', { headers: POLICY }]]);
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
    await way.build(project, `${PAGES}/${i}`, script);
    pages.set(name, `${origin}/${PAGES}/${i}/`);
  }
  viteProject(project, 'dev', script);
  const module = `new URL('./page.js', import.meta.url), { type: 'module' }`;
  write(project, 'dev/start.js', starter(module));
  write(project, 'dev/worker.html', HTML('<script type="module" src="./start.js"></script>'));
  const dev = await vite.createServer({
    root: join(project, 'dev'),
    configFile: false,
    publicDir: join(project, 'public'),
    logLevel: 'error',
    server: { host: '127.0.0.1', port: 0, fs: { allow: [project] }, hmr: false },
  });
  await dev.listen();
  t.teardown(() => dev.close());
  const url = dev.resolvedUrls?.local[0] as string;
  pages.set('Vite dev', url);
  pages.set('Vite dev, in a module worker', `${url}worker.html`);
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
    // A function: text would be evaluated, which the policy refuses.
    await page
      .waitForFunction(() => 'findings' in window, undefined, { timeout: 60_000 })
      .catch((error) => {
        throw new Error(`${url} did not run: ${error.message}; ${warnings.join('; ')}`);
      });
    return { ...((await page.evaluate('window.findings')) as Omit<Findings, 'warnings'>), warnings };
  } finally {
    await page.close();
  }
}
