/** The page without a network, in a folder of its host, and under a policy stricter than its own. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { openDemo } from './page.js';

const best = (page: Page) => page.locator('.predictions li').first().locator('span').textContent();
const said = (page: Page, text: string | RegExp) =>
  page.locator('footer [aria-busy=false]', { hasText: text }).waitFor();

t.test('in a browser', { skip: chromiumMissing() }, async (t) => {
  for (const isolated of [false, true]) {
    t.test(`without a network, ${isolated ? 'isolated' : 'plain'}`, async (t) => {
      const { page, context, messages, closeServer } = await openDemo(t, {
        offline: true,
        isolated,
        folder: '/a/b/',
      });
      await said(page, 'kept for offline use');
      closeServer();
      await context.setOffline(true);
      await page.reload();
      await said(page, / ms a prediction/);
      t.equal(await best(page), '7');
      t.equal(await page.evaluate(() => crossOriginIsolated), isolated);
      await page.getByLabel('Backend').selectOption('cpu');
      await said(page, 'cpu: ');
      t.equal(await best(page), '7', 'with a backend that had not been used');
      t.same(messages, []);
    });
  }

  t.test('models that were opened are there without a network', async (t) => {
    const { page, context, messages, closeServer } = await openDemo(t, { offline: true });
    await said(page, 'kept for offline use');
    await page.getByRole('button', { name: 'Digits in a scene, in boxes' }).click();
    await said(page, /Digits in a scene, in boxes.* ms a prediction/);
    closeServer();
    await context.setOffline(true);
    await page.reload();
    await said(page, /Digits in a scene, in boxes.* ms a prediction/);
    t.same(messages, []);
  });

  t.test('a newer version is announced, and loaded when it is asked for', async (t) => {
    const { page, files } = await openDemo(t, { offline: true });
    await said(page, 'kept for offline use');
    appendFileSync(join(files, 'sw.js'), '// a newer one');
    await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
    const load = page.getByRole('button', { name: 'Load it' });
    await load.waitFor();
    const waiting = () =>
      page.evaluate(async () => (await navigator.serviceWorker.ready).waiting?.state ?? 'none');
    t.equal(await waiting(), 'installed', 'and waits until then');
    await Promise.all([page.waitForEvent('load'), load.click()]);
    await said(page, / ms a prediction/);
    t.equal(await waiting(), 'none');
  });

  t.test('a host whose policy holds in workers too has no threads, and does not wait for them', async (t) => {
    const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:";
    const { page } = await openDemo(t, { isolated: true, headers: { 'content-security-policy': policy } });
    await said(page, 'one thread: the policy of the page lets no more start');
    t.equal(await best(page), '7');
  });
});
