/**
 * Tests that run in a page of a real Chromium, through playwright-core. A page file in this folder holds the test bodies;
 * its test file passes their results to tap.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import type { Test } from 'tap';
import { chromiumMissing } from '../../../conformance/runners/launch_chromium.js';
import { sharedChromium } from '../../../testing/chromium.js';
import { fixtureFiles, fixturePath } from '../../../testing/fixtures.js';
import type { SharedFile } from './shared_page.js';

/** Never resolved: every request of the page is answered here. */
const ORIGIN = 'http://grootvl.test';
const TFJS_WASM = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));

/** In separate pages, because they test how they load, or that they lose the context. */
const ALONE = ['early', 'late', 'limits'] as const;
const PAGES = [...ALONE, 'shared'];

/** Runs every test of `<name>_page.ts`, each as a subtest; skips with a reason if there is no Chromium. */
export async function runPageTests(t: Test, name: (typeof ALONE)[number] | SharedFile): Promise<void> {
  const missing = chromiumMissing();
  if (missing) {
    t.pass(name, { skip: missing });
    return;
  }
  const page = await pageOf(t, name);
  const onError = (error: Error) => t.comment(`page: ${error.message}`);
  page.on('pageerror', onError);
  t.teardown(() => page.off('pageerror', onError));
  const tests = await page.evaluate(() => window.pageTests.names());
  t.ok(tests.length > 0);
  for (const test of tests) {
    await t.test(test, async (t) => {
      const findings = await page.evaluate((test) => window.pageTests.run(test), test);
      for (const { what, ok, comment } of findings) {
        t.ok(ok, what);
        if (comment) t.comment(`${what}: ${comment}`);
      }
    });
  }
}

/** Returns the page that holds the tests, once they are loaded; it is closed after the test unless it is the shared one. */
async function pageOf(t: Test, name: (typeof ALONE)[number] | SharedFile): Promise<Page> {
  const browser = await sharedChromium(t);
  const alone = ALONE.find((each) => each === name);
  if (alone) {
    const page = await openPage(browser, alone);
    t.teardown(() => page.close());
    return page;
  }
  if (!shared.has(browser)) shared.set(browser, openPage(browser, 'shared'));
  const page = (await shared.get(browser)) as Page;
  await page.evaluate((name) => window.openFile(name), name as SharedFile);
  return page;
}

/** Closed with its browser. */
const shared = new WeakMap<Browser, Promise<Page>>();

/** Scripts of all pages, by file name; tfjs is read once for all of them. */
let scripts: Promise<ReadonlyMap<string, string>> | undefined;

async function bundle(): Promise<ReadonlyMap<string, string>> {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const { outputFiles } = await build({
    entryPoints: PAGES.map((name) => join(here, `${name}_page.ts`)),
    outdir: here,
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    // Registrations are side effects, including those of files that a package declares free of them.
    ignoreAnnotations: true,
    define: { 'process.env.GROOTVL_LONG': JSON.stringify(process.env.GROOTVL_LONG ?? '') },
    logLevel: 'silent',
  });
  return new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
}

async function openPage(browser: Browser, name: string): Promise<Page> {
  scripts ??= bundle();
  const script = (await scripts).get(`${name}_page.js`);
  const page = await browser.newPage();
  await page.route(`${ORIGIN}/**`, async (route) => {
    const path = new URL(route.request().url()).pathname.slice(1);
    if (path === '')
      return route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>test</title>' });
    if (path === 'fixtures.json') {
      const files = ['grootv', 'grootl/op'].flatMap((folder) => fixtureFiles(folder, /\.(safetensors|pth)$/));
      return route.fulfill({ contentType: 'application/json', body: JSON.stringify(files) });
    }
    if (path.startsWith('tfjs-wasm/')) return route.fulfill({ path: join(TFJS_WASM, basename(path)) });
    const file = fixturePath(path.replace(/^fixtures\//, ''));
    return file ? route.fulfill({ body: readFileSync(file) }) : route.fulfill({ status: 404 });
  });
  await page.goto(`${ORIGIN}/`);
  await page.addScriptTag({ content: script });
  return page;
}
