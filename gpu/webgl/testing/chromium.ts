/**
 * Tests that run in a page of a real Chromium, through playwright-core. A page file, beside this one, holds the test
 * bodies; its test file relays what they find to tap.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import type { Test } from 'tap';
import { chromiumMissing } from '../../../conformance/runners/launch_chromium.js';
import { sharedChromium } from '../../../testing/chromium.js';
import { fixtureFiles, fixturePath } from '../../../testing/fixtures.js';

/** Never resolved: every request of the page is answered here. */
const ORIGIN = 'http://grootvl.test';
const TFJS_WASM = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));

/** Runs every test of `<name>_page.ts`, each as a subtest; a skip with its reason where there is no Chromium. */
export async function runPageTests(t: Test, name: string): Promise<void> {
  const missing = chromiumMissing();
  if (missing) {
    t.pass(name, { skip: missing });
    return;
  }
  scripts ??= bundle();
  const script = (await scripts).get(`${name}_page.js`);
  if (script === undefined) throw new Error(`there is no ${name}_page.ts`);
  const page = await openPage(t, await sharedChromium(t), script);
  t.teardown(() => page.close());
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

/** Scripts of all pages, by file name: tfjs is read once for them. */
let scripts: Promise<ReadonlyMap<string, string>> | undefined;

async function bundle(): Promise<ReadonlyMap<string, string>> {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const { outputFiles } = await build({
    entryPoints: readdirSync(here)
      .filter((file) => file.endsWith('_page.ts'))
      .map((file) => join(here, file)),
    outdir: here,
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    // Registrations are side effects, also of files that a package lists as free of them.
    ignoreAnnotations: true,
    define: { 'process.env.GROOTVL_LONG': JSON.stringify(process.env.GROOTVL_LONG ?? '') },
    logLevel: 'silent',
  });
  return new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
}

async function openPage(t: Test, browser: Browser, script: string): Promise<Page> {
  const page = await browser.newPage();
  page.on('pageerror', (error) => t.comment(`page: ${error.message}`));
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
