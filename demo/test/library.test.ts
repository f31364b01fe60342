/** Adding models to the page, and storing them. */
import { readFileSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { convertCheckpoint, MemorySink } from '../../converters/index.js';
import {
  MadeGlobal,
  MadeObject,
  MadeOrderedDict,
  torchZipBytes,
} from '../../converters/pytorch/testing/torch_writer.js';
import { grootVShapes, randomState } from '../../testing/checkpoints.js';
import { fixturePath } from '../../testing/fixtures.js';
import { chooseSmallestSize, type OpenedDemo, openDemo } from './page.js';

const skip = chromiumMissing() ?? false;
const BUNDLED = 4;
const TINY = fixturePath('family/gg_ssm_tiny_head.pth') as string;

/** Titles of the models in the list. */
const titles = (page: Page) => page.locator('.models .title').allTextContents();

const chosen = (page: Page, label: 'Choose files' | 'Choose a folder', paths: string | string[]) =>
  page.getByLabel(label).setInputFiles(paths);

/** Folders in the browser's private file system, and the number of files in each. */
const stored = (page: Page) =>
  page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const models = await root.getDirectoryHandle('models', { create: true });
    const counts: number[] = [];
    for await (const [, folder] of (models as unknown as Listed).entries()) {
      let count = 0;
      for await (const _ of folder.entries()) count++;
      counts.push(count);
    }
    return counts;
  });

interface Listed {
  entries(): AsyncIterable<[string, Listed]>;
}

t.test('models of one page', { skip }, async (t) => {
  const demo = await openDemo(t);
  const { page, url, messages } = demo;
  await chooseSmallestSize(page);
  await t.test('models that come with the page are fetched when they are opened', (t) =>
    checkFetching(t, demo),
  );
  await t.test('a checkpoint is converted, reported, kept, packed, renamed and deleted', (t) =>
    checkCheckpoint(t, page),
  );
  t.same(messages, []);
  await t.test('a model that is stopped half way leaves nothing', (t) => checkStopping(t, page, url));
  await t.test('what is not a model is refused in one line, and the page goes on', (t) =>
    checkRefusals(t, page),
  );
  await t.test('folders: converted, of HuggingFace, dropped or chosen', (t) => checkFolders(t, demo));
});

async function checkFetching(t: Test, { page, requests }: OpenedDemo): Promise<void> {
  const fetched = () => [
    ...new Set(requests.flatMap((url) => /assets\/(digits|segmenter|detector|writer)-/.exec(url)?.[1] ?? [])),
  ];
  t.same(fetched(), ['digits']);
  for (const architecture of ['GrootV + UperNet', 'GrootV + Mask R-CNN', 'GrootL']) {
    await page.getByRole('button', { name: architecture }).click();
    await page.getByRole('button', { name: architecture, pressed: true }).waitFor();
  }
  t.same(fetched(), ['digits', 'segmenter', 'detector', 'writer']);
}

async function checkCheckpoint(t: Test, page: Page): Promise<void> {
  t.equal((await titles(page)).length, BUNDLED);
  await page.getByText('From a URL').click();
  await page.getByLabel('Store weights as').selectOption('float16');
  await chosen(page, 'Choose files', TINY);
  const report = page.getByRole('region', { name: 'Report on gg_ssm_tiny_head' });
  await report.waitFor();
  t.match(await report.textContent(), /GG-SSM.*parameters in \d+ tensors/);
  t.match(await report.textContent(), /stem stride/, 'settings are told with their origin');
  const row = page.getByRole('button', { name: /^gg_ssm_tiny_head/, pressed: true });
  await row.waitFor();

  await page.reload();
  await row.waitFor();
  await chooseSmallestSize(page, '96 × 64');
  t.equal((await titles(page)).length, BUNDLED + 1, 'it is there and opened at the next visit');

  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download gg_ssm_tiny_head' }).click();
  const download = await downloading;
  t.equal(download.suggestedFilename(), 'gg_ssm_tiny_head.zip');
  const archive = readFileSync(await download.path());
  const expected = new MemorySink();
  await convertCheckpoint(new File([readFileSync(TINY)], basename(TINY)), expected, { quantize: 'float16' });
  const files = zipEntries(archive);
  t.same([...files.keys()].sort(), [...expected.files.keys()].sort(), 'model.json and its shards');
  for (const [name, bytes] of expected.files) {
    t.ok(files.get(name)?.equals(bytes), `${name} is what the command line writes`);
  }

  await page.getByRole('button', { name: 'Rename gg_ssm_tiny_head' }).click();
  await page.getByLabel('New name').fill('My model');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Delete My model' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete My model' });
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  t.equal((await titles(page)).length, BUNDLED + 1, 'a second thought');
  await page.getByRole('button', { name: 'Delete My model' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('My model').first().waitFor({ state: 'detached' });
  t.same(await stored(page), [], 'nothing of it is left');
}

async function checkStopping(t: Test, page: Page, url: string): Promise<void> {
  const { files } = await convertedTiny(2 ** 17);
  const shards = [...files.keys()].filter((name) => name.endsWith('.bin'));
  t.ok(shards.length > 1);
  let held: (() => void) | undefined;
  await page.context().route(/\/remote\//, async (route) => {
    const name = basename(route.request().url());
    const body = files.get(name);
    if (name === shards[1]) await new Promise<void>((resolve) => (held = resolve));
    await route.fulfill(body ? { body: Buffer.from(body) } : { status: 404 }).catch(() => undefined);
  });
  const begin = async () => {
    held = undefined;
    await page.getByLabel('URL of').fill(`${url}remote/model.json`);
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    while (!held) await page.waitForTimeout(20);
    t.same(await stored(page), [1], 'its first shard is there');
    t.equal((await titles(page)).length, BUNDLED, 'it is not listed');
  };
  await page.getByText('From a URL').click();
  await begin();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Add', exact: true }).waitFor();
  t.same(await stored(page), []);
  t.equal(await page.getByRole('alert').count(), 0, 'that is not an error');

  await begin();
  await page.reload();
  await page.locator('.models .title').first().waitFor();
  t.same(await stored(page), [], 'a page that is closed leaves what the next one removes');
  await page.getByRole('button', { name: /^Handwritten digits/, pressed: true }).waitFor();
  await chooseSmallestSize(page);
}

async function checkRefusals(t: Test, page: Page): Promise<void> {
  const folder = t.testdir({
    'empty.pth': '',
    'page.pth': '<!DOCTYPE html><html></html>',
    'text.bin': 'words',
  });
  const evil = new MadeObject(new MadeGlobal('os', 'system'), { args: ['touch /tmp/pwned'], call: true });
  await writeFile(
    join(folder, 'hostile.pth'),
    await torchZipBytes(new MadeOrderedDict(new Map([['x', evil]]))),
  );
  const cases: [file: string, refusal: RegExp][] = [
    ['hostile.pth', /os.*system/],
    ['empty.pth', /empty/],
    ['page.pth', /web page|HTML/i],
    ['text.bin', /expected|not a/i],
  ];
  const refused = page.locator('.report[role=alert]');
  for (const [file, refusal] of cases) {
    await chosen(page, 'Choose files', join(folder, file));
    await refused.getByText(`${file} was not added`).waitFor();
    t.match(await refused.locator('p').textContent(), refusal, file);
  }
  t.same(await stored(page), []);
  t.equal((await titles(page)).length, BUNDLED);

  const { files } = await convertedTiny();
  const broken = t.testdir({
    'model.json': Buffer.from(files.get('model.json') as Uint8Array),
    'group1-shard1of1.bin': 'short',
  });
  await chosen(page, 'Choose a folder', broken);
  await refused.getByText(`${basename(broken)} was not added`).waitFor();
  t.match(await refused.locator('p').textContent(), /the weights end after 5 bytes/);
  t.same(await stored(page), [], 'a converted model that does not open is not kept');
  await page.getByRole('button', { name: /^Handwritten digits/, pressed: true }).waitFor();

  await page.getByText('From a URL').click();
  const key = page.getByLabel('Keys that lead to the weights');
  await key.fill('no.such');
  await chosen(page, 'Choose files', TINY);
  await refused.getByText(`${basename(TINY)} was not added`).waitFor();
  await key.fill('');
  await page.getByRole('button', { name: 'Try again with the options below' }).click();
  await page.getByRole('button', { name: /^gg_ssm_tiny_head/, pressed: true }).waitFor();
}

async function checkFolders(t: Test, { page, context }: OpenedDemo): Promise<void> {
  const before = (await titles(page)).length;
  const { files } = await convertedTiny();
  const folder = t.testdir({
    converted: Object.fromEntries([...files].map(([name, bytes]) => [name, Buffer.from(bytes)])),
    'notes.txt': 'of no use',
  });
  await chosen(page, 'Choose a folder', join(folder, 'converted'));
  await page.getByRole('button', { name: /^converted GG-SSM/, pressed: true }).waitFor();
  t.match(await page.locator('.report').textContent(), /converted GG-SSM/);

  const session = await context.newCDPSession(page);
  const data = { items: [], files: [fixturePath('grootl/grootl_tiny') as string], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 700, y: 400, data });
  }
  await page.getByText('Drop a checkpoint').waitFor();
  await session.send('Input.dispatchDragEvent', { type: 'drop', x: 700, y: 400, data });
  await page.getByRole('button', { name: /^grootl_tiny GrootL/, pressed: true }).waitFor();
  t.match(await page.locator('.report').textContent(), /expected\.json/, 'what was left out is told');
  t.equal((await titles(page)).length, before + 2);
}

t.test('memory and storage that are used up, and files that are too large', { skip }, async (t) => {
  // Files of two sizes simulate how the browser aborts what needs more memory than there is; WebAssembly has 25 MB. Garbage is
  // collected while a file is being opened: Chromium does not answer if the handle of the file is collected too.
  const { page, context } = await openDemo(t, {
    inWorker: `const { slice } = Blob.prototype;
      Blob.prototype.slice = function (...range) {
        if (this.size === 1111) throw new RangeError('Array buffer allocation failed');
        if (this.size === 2222) throw new WebAssembly.RuntimeError('memory access out of bounds');
        return slice.apply(this, range);
      };
      const { createSyncAccessHandle } = FileSystemFileHandle.prototype;
      FileSystemFileHandle.prototype.createSyncAccessHandle = function () {
        queueMicrotask(globalThis.gc);
        return createSyncAccessHandle.call(this);
      };
      const { grow } = WebAssembly.Memory.prototype;
      WebAssembly.Memory.prototype.grow = function (pages) {
        if (this.buffer.byteLength + pages * 65536 > 25e6) throw new RangeError('no more');
        return grow.call(this, pages);
      };`,
  });
  const folder = t.testdir({
    'array.pth': Buffer.alloc(1111),
    'heap.pth': Buffer.alloc(2222),
    'huge.pth': '',
  });
  await truncate(join(folder, 'huge.pth'), 2 ** 31 + 1);
  const weights = randomState(grootVShapes({ channels: 64, depths: [1, 1, 1, 1] }));
  await writeFile(join(folder, 'large.pth'), await torchZipBytes(new MadeOrderedDict(weights)));
  const refused = page.locator('.report[role=alert]');
  const refusalOf = async (file: string) => {
    await chosen(page, 'Choose files', file);
    await refused.getByText(`${basename(file)} was not added`).waitFor();
    return refused.locator('p').textContent();
  };
  const digits = page.getByRole('button', { name: /^Handwritten digits/ });
  t.match(
    await refusalOf(join(folder, 'huge.pth')),
    /^huge\.pth has 2\.1 GB: a page takes files of up to 2 GB/,
  );
  t.match(await refusalOf(join(folder, 'array.pth')), /^the memory of this tab is used up/);
  t.equal(await digits.getAttribute('aria-pressed'), 'true', 'the worker goes on');
  t.match(await refusalOf(join(folder, 'heap.pth')), /^the memory of this tab is used up/);
  t.equal(await digits.getAttribute('aria-pressed'), 'false', 'a new worker has no model');
  const openDigits = async () => {
    await digits.click();
    await page.getByRole('button', { name: /^Handwritten digits/, pressed: true }).waitFor();
  };
  await openDigits();
  await chosen(page, 'Choose files', join(folder, 'large.pth'));
  t.match(await page.locator('.error[role=alert]').textContent(), /^the memory of this tab is used up/);
  await page.getByRole('button', { name: 'Delete large' }).waitFor();
  await openDigits();
  await page.getByRole('button', { name: 'Delete large' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete large' }).waitFor({ state: 'detached' });

  const session = await context.newCDPSession(page);
  const { origin } = new URL(page.url());
  const { usage } = await session.send('Storage.getUsageAndQuota', { origin });
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: usage + 100_000 });
  t.match(await refusalOf(TINY), /^the browser gives this page no more storage/);
  t.same(await stored(page), []);
});

t.test('a window that keeps no files has models in memory', { skip }, async (t) => {
  const { page } = await openDemo(t, {
    inWorker: `StorageManager.prototype.getDirectory = async () => {
      throw new DOMException('private', 'SecurityError');
    };`,
  });
  await page.getByText('This window keeps no files').waitFor();
  await chooseSmallestSize(page);
  await chosen(page, 'Choose files', TINY);
  await page.getByRole('button', { name: /^gg_ssm_tiny_head/, pressed: true }).waitFor();
  await page.getByRole('button', { name: 'Rename gg_ssm_tiny_head' }).waitFor();
  await page.reload();
  await page.getByRole('button', { name: /^Handwritten digits/, pressed: true }).waitFor();
  t.equal((await titles(page)).length, BUNDLED);
});

let converted: Promise<MemorySink> | undefined;

async function convertedTiny(shardBytes?: number): Promise<MemorySink> {
  const convert = async () => {
    const sink = new MemorySink();
    await convertCheckpoint(new File([readFileSync(TINY)], basename(TINY)), sink, { shardBytes });
    return sink;
  };
  if (shardBytes) return convert();
  converted ??= convert();
  return converted;
}

/** Stored entries of a zip by name, as listed in its directory. */
function zipEntries(zip: Buffer): Map<string, Buffer> {
  const entries = new Map<string, Buffer>();
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [size, nameLength, extra, comment] = [zip.readUInt32LE(at + 20), 28, 30, 32].map((field, i) =>
      i === 0 ? field : zip.readUInt16LE(at + field),
    );
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength);
    const local = zip.readUInt32LE(at + 42);
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    entries.set(name, zip.subarray(start, start + size));
    at += 46 + nameLength + extra + comment;
  }
  return entries;
}
