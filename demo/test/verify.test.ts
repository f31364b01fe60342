/** The panel of the conformance suite: its table, its report, failures, and stopping a run. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import t from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { openDemo } from './page.js';

/** Selects backends and a part of the names of ops, and starts the suite. */
async function run(page: Page, backends: readonly string[], ops: string): Promise<void> {
  for (const box of await page.getByRole('checkbox', { disabled: false }).all()) {
    const name = (await box.locator('..').textContent())?.trim() ?? '';
    await box.setChecked(backends.includes(name));
  }
  await page.getByLabel('Only ops named').fill(ops);
  await page.getByRole('button', { name: 'Run the suite' }).click();
}

async function save(page: Page, link: string): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: link }).click(),
  ]);
  return readFileSync(await download.path(), 'utf8');
}

/** The reference's kernel of one op fails, in the workers of every run. */
const BROKEN = `{
  const { get } = Map.prototype;
  const kernelFunc = () => { throw new Error('broken on purpose'); };
  Map.prototype.get = function (key) {
    const found = get.call(this, key);
    return key === 'cpu_Silu' ? { ...found, kernelFunc } : found;
  };
}`;

t.test('in a browser', { skip: chromiumMissing() }, async (t) => {
  const { page, messages } = await openDemo(t, { inWorker: BROKEN });
  await page.getByRole('tab', { name: 'Verify' }).click();

  await t.test('a profile counts the kernels of a prediction', async (t) => {
    await page.getByRole('button', { name: 'Profile a prediction' }).click();
    const kernels = page.getByRole('table').filter({ hasText: 'Together' });
    await kernels.waitFor();
    t.match(await page.getByText(/A prediction on wasm/).textContent(), /runs \d\d+ kernels/);
    t.ok((await kernels.getByRole('rowheader').allTextContents()).includes('TreeScan'));
  });

  await t.test('a run fills in the matrix, and its report can be saved', async (t) => {
    await run(page, ['cpu', 'wasm'], 'gridgraph');
    await page.getByText('8 cases in').waitFor();
    t.match(
      await page.getByText(/^cpu \(plain JavaScript/).textContent(),
      /: 4 pass, 0 tie-flip, 0 fail, 0 skip/,
    );
    const matrix = page.getByRole('table').filter({ hasText: 'GridGraph' });
    t.same(await matrix.getByRole('rowheader').allTextContents(), ['GridGraph']);
    t.same(await matrix.getByRole('button').allTextContents(), ['4 pass', '4 pass']);
    await matrix.getByRole('button').first().focus();
    t.ok(await page.getByText(/^GridGraph on (cpu|wasm): exact/).isVisible());

    const report = JSON.parse(await save(page, 'as JSON'));
    t.match(report.summary, { pass: 8, fail: 0, total: 8 });
    t.match(report.environment.runtime, /Chrome/);
    t.match(await save(page, 'as a page'), /^<!doctype html>.*GridGraph/s);
    t.same(messages, []);
  });

  await t.test('a run that is stopped has a report of what has run', async (t) => {
    await run(page, ['cpu'], '');
    await page.getByRole('button', { name: /pass/ }).nth(2).waitFor(); // the previous run has two
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText(/Stopped after \d+ of \d+ cases/).waitFor();
    t.match(JSON.parse(await save(page, 'as JSON')).environment, { incomplete: true });

    await run(page, ['cpu'], 'nosuchop');
    t.match(
      await page.getByRole('alert').textContent(),
      /^no op has "nosuchop" in its name; there are AdamWStep, AdaptiveAveragePool, /,
    );
  });

  await t.test('a kernel that fails is named with its reason', async (t) => {
    await run(page, ['cpu'], 'silu');
    await page.getByText('cases in').waitFor();
    t.match(
      await page.locator('.failures li').first().textContent(),
      /^Silu on cpu, generated .*: threw: broken on purpose/,
    );
    t.match(await page.getByRole('button', { name: /^\d+ fail$/ }).count(), 2, 'the op and its gradient');
  });

  await t.test('a backend that does not start is a failure with its reason', async (t) => {
    await page.route('**/*.wasm', (route) => route.abort());
    await run(page, ['wasm'], 'gridgraph');
    const failures = page.locator('.failures', { hasText: 'on wasm' });
    await failures.waitFor();
    t.ok(await page.getByRole('heading', { name: 'What fails' }).isVisible());
    t.match(await failures.textContent(), /on wasm.*did not start: .*wasm/);
  });
});
