/** The example in a real Chromium: drawings, training in its worker, stop, classification, and the file that it gives. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { chromiumMissing, launchChromium } from '../../conformance/runners/launch_chromium.js';
import { convertCheckpoint, MemorySink } from '../../converters/index.js';
import { GrootV } from '../../plugin/index.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** Strokes on the pad of 280 x 280 pixels, by the names of classes. `shift` moves them, so that no two are the same. */
const SHAPES: Readonly<Record<string, (shift: number) => [x: number, y: number][]>> = {
  cross: (shift) => [
    [40 + shift, 140],
    [240, 140 + shift],
    [140, 140],
    [140 - shift, 40],
    [140 + shift, 240],
  ],
  corner: (shift) => [
    [60, 50 + shift],
    [60 + shift, 220],
    [220, 220 - shift],
  ],
  zigzag: (shift) => [
    [40, 60 + shift],
    [230, 60],
    [50 + shift, 220],
    [240, 220 - shift],
  ],
};
const NAMES = Object.keys(SHAPES);

async function bundle(): Promise<Map<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: ['page.js', 'worker.js'].map((name) => `${HERE}${name}`),
    outdir: HERE,
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    loader: { '.wasm': 'file', '.pth': 'file' },
    logLevel: 'silent',
  });
  const files = new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]));
  return files.set('', readFileSync(`${HERE}index.html`));
}

async function serve(t: Test, files: ReadonlyMap<string, Uint8Array>): Promise<string> {
  const server = createServer(({ url = '/' }, response) => {
    const name = new URL(url, 'http://localhost').pathname.slice(1);
    const body = files.get(name);
    const type = TYPES[extname(name || 'index.html')] ?? 'application/octet-stream';
    response.writeHead(body ? 200 : 404, { 'content-type': type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Opens the example. @returns the page, and what it said in the console */
async function open(
  t: Test,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<{ page: Page; messages: string[] }> {
  const url = await serve(t, files);
  const browser = await launchChromium();
  t.teardown(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
  const messages: string[] = [];
  page.on('console', (message) => messages.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', ({ message }) => messages.push(message));
  await page.goto(url);
  return { page, messages };
}

async function draw(page: Page, [first, ...others]: readonly [x: number, y: number][]): Promise<void> {
  await page.locator('#pad').scrollIntoViewIfNeeded();
  const box = await page.locator('#pad').boundingBox();
  const at = ([x, y]: [number, number]) => [(box?.x ?? 0) + x, (box?.y ?? 0) + y] as const;
  await page.mouse.move(...at(first));
  await page.mouse.down();
  for (const point of others) await page.mouse.move(...at(point), { steps: 3 });
  await page.mouse.up();
}

t.test('in Chromium', { skip: chromiumMissing() ?? false, timeout: 120_000 }, async (t) => {
  const { page, messages } = await open(t, await bundle());
  const status = page.locator('#status');
  const error = page.locator('#error');
  const button = (name: string | RegExp) =>
    page.getByRole('button', { name, exact: typeof name === 'string' });
  const says = async (text: RegExp) => {
    await page.waitForFunction(
      (source) => new RegExp(source).test(document.querySelector('#status')?.textContent ?? ''),
      text.source,
      { timeout: 60_000 },
    );
    return (await status.textContent()) ?? '';
  };
  const start = await says(/is ready to learn|There is no model/);
  t.match(start, /ready/, (await error.textContent()) ?? '');

  await t.test('what is missing is told in plain words', async (t) => {
    await button('Train').click();
    t.equal(await error.textContent(), 'Draw at least two classes.');
    await button(/^Add the drawing to star/).click();
    t.equal(await error.textContent(), 'Draw something first.');
  });

  for (const [i, name] of NAMES.entries()) {
    await page.getByLabel('Class', { exact: true }).nth(i).fill(name);
    for (let n = 0; n < 4; n++) {
      await draw(page, SHAPES[name](6 * n));
      await button(`Add the drawing to ${name}`).click();
    }
  }

  await t.test('training is stopped behind a step', async (t) => {
    await page.getByLabel('Steps').fill('500');
    await button('Train').click();
    await says(/^Step [2-9] of 500/);
    await button('Stop').click();
    t.match(await says(/^Stopped/), /^Stopped after \d+ of 500 steps/);
    t.ok(await button('Train').isEnabled(), 'and may begin anew');
  });

  await t.test('a short training, with its curve', async (t) => {
    const losses: number[] = [];
    await page.exposeFunction('seen', (text: string) => {
      const [, loss] = /^Step .*: loss ([\d.]+)/.exec(text) ?? [];
      if (loss) losses.push(Number(loss));
    });
    await page.evaluate(() => {
      const status = document.querySelector('#status') as Element;
      const seen = (window as unknown as { seen(text: string): void }).seen;
      new MutationObserver(() => seen(status.textContent ?? '')).observe(status, { childList: true });
    });
    await page.getByLabel('Steps').fill('12');
    await button('Train').click();
    t.match(await says(/^Trained/), /^Trained for 12 steps in [\d.]+ s/);
    t.equal(losses.length, 12, `a loss a step: ${losses}`);
    const mean = (part: number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length;
    t.ok(mean(losses.slice(-3)) < 0.7 * mean(losses.slice(0, 3)), `the loss falls: ${losses}`);
    const colours = await page.locator('#curve').evaluate((canvas) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const pixels = (canvas as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height);
      return new Set(new Uint32Array(pixels?.data.buffer ?? new ArrayBuffer(0))).size;
    });
    t.ok(colours > 10, `the curve is drawn, in ${colours} colours`);
  });

  await t.test('drawings that it has not seen', async (t) => {
    for (const name of NAMES) {
      await button('Clear').click();
      await draw(page, SHAPES[name](15));
      await page.waitForFunction(() => !document.querySelector('#predictions')?.hasAttribute('aria-busy'));
      t.match(await page.locator('#predictions li').first().textContent(), new RegExp(`^${name}: \\d+ %$`));
    }
  });

  await t.test('the file converts to a model of these classes', async (t) => {
    const [download] = await Promise.all([page.waitForEvent('download'), button(/Download/).click()]);
    t.equal(download.suggestedFilename(), 'drawings.safetensors');
    const bytes = readFileSync(await download.path());
    await tf.setBackend('cpu');
    const sink = new MemorySink();
    await convertCheckpoint(new File([bytes], 'drawings.safetensors'), sink);
    const model = await GrootV.load(sink);
    t.same(model.metadata.classNames, NAMES);
    model.dispose();
  });

  t.same(messages, [], 'nothing in the console');
});
