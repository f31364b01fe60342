/** The page as a whole: a first visit, without a network, in a folder of its host, and under a policy stricter than its own. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { type OpenedDemo, openDemo } from './page.js';

const SEVEN = 'A handwritten 7 (number 0)';
const best = (page: Page) => page.locator('.predictions li').first().locator('span').textContent();
const said = (page: Page, text: string | RegExp) =>
  page.locator('footer [aria-busy=false]', { hasText: text }).waitFor();

async function choosePlainBackend(t: Test, page: Page): Promise<void> {
  await page.getByLabel('Backend').selectOption('cpu');
  await said(page, 'cpu: ');
  t.equal(await best(page), '7', 'with a backend that had not been used');
}

/** Goes offline, and starts the page again. */
async function restartOffline({ page, context, closeServer }: OpenedDemo): Promise<void> {
  closeServer();
  await context.setOffline(true);
  await page.reload();
}

t.test('in a browser', { skip: chromiumMissing() }, async (t) => {
  await t.test('a page that is kept', async (t) => {
    const demo = await openDemo(t, { offline: true, folder: '/a/b/' });
    const { page, files, messages } = demo;
    await said(page, 'kept for offline use');

    await t.test('classifies a digit, and the console is empty', async (t) => {
      t.match(await page.locator('.predictions li').first().textContent(), /^7/);
      t.equal(await page.getByRole('alert').count(), 0);
      t.same(messages, [], 'nothing of the page is refused by its policy');
    });

    await t.test('tabs are chosen by arrow keys', async (t) => {
      await page.getByRole('tab', { name: 'Look' }).focus();
      for (const name of ['Write', 'Verify', 'Look']) {
        await page.keyboard.press('ArrowRight');
        t.ok(await page.getByRole('tab', { name }).evaluate((tab) => tab === document.activeElement), name);
        t.ok(await page.getByRole('tabpanel', { name }).isVisible(), `${name} is shown`);
        t.equal(await page.getByRole('tabpanel').count(), 1, 'alone');
      }
    });

    await t.test('the manifest names icons that are there', async (t) => {
      const sizes = await page.evaluate(async () => {
        const { href } = document.querySelector('link[rel=manifest]') as HTMLLinkElement;
        const { icons } = await (await fetch(href)).json();
        return Promise.all(
          icons.map(async ({ src }: { src: string }) => {
            const { width, height } = await createImageBitmap(await (await fetch(new URL(src, href))).blob());
            return `${width}x${height}`;
          }),
        );
      });
      t.same(sizes, ['192x192', '512x512', '512x512']);
    });

    await t.test('the policy of the page refuses inline scripts', async (t) => {
      const refused = await page.evaluate(() => {
        const violation = new Promise<string>((resolve) => {
          document.addEventListener('securitypolicyviolation', ({ blockedURI }) => resolve(blockedURI));
        });
        const script = document.createElement('script');
        script.textContent = 'document.title = "ran"';
        document.head.append(script);
        return violation;
      });
      t.equal(refused, 'inline');
      t.not(await page.title(), 'ran');
      t.match(
        messages.splice(0),
        [/violates the following Content Security Policy/],
        'which the console tells',
      );
    });

    await t.test('a newer version is announced, and loaded when it is asked for', async (t) => {
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

    await t.test('without a network: the first model, and those that were opened', async (t) => {
      await page.getByRole('button', { name: 'Digits in a scene, in boxes' }).click();
      await said(page, /Digits in a scene, in boxes.* ms a prediction/);
      await restartOffline(demo);
      await said(page, /Digits in a scene, in boxes.* ms a prediction/);
      t.equal(await page.evaluate(() => crossOriginIsolated), false);
      await page.getByRole('button', { name: /^Handwritten digits/ }).click();
      await page.getByRole('radio', { name: SEVEN, exact: true }).check({ force: true });
      await page.getByRole('list', { name: SEVEN, exact: true }).waitFor();
      t.equal(await best(page), '7');
      await choosePlainBackend(t, page);
      t.same(messages, []);
    });
  });

  await t.test('an isolated page', async (t) => {
    const demo = await openDemo(t, { offline: true, isolated: true, folder: '/a/b/' });
    const { page, messages } = demo;
    await said(page, 'kept for offline use');

    await t.test('has threads', async (t) => {
      await said(page, /wasm: WebAssembly, (one thread|\d threads)/); // tfjs uses half of the processors
      const [worker] = page.workers();
      const shared = await worker.evaluate(() => {
        const { _tfengine } = globalThis as unknown as {
          _tfengine: { backendInstance: { wasm: { wasmMemory: WebAssembly.Memory } } };
        };
        return _tfengine.backendInstance.wasm.wasmMemory.buffer instanceof SharedArrayBuffer;
      });
      t.ok(shared, 'the build with threads has started');
      t.equal(await best(page), '7');
    });

    await t.test('is isolated without a network too', async (t) => {
      await restartOffline(demo);
      await said(page, / ms a prediction/);
      t.equal(await best(page), '7');
      t.equal(await page.evaluate(() => crossOriginIsolated), true);
      await choosePlainBackend(t, page);
      t.same(messages, []);
    });
  });

  t.test('a host whose policy holds in workers too has no threads, and does not wait for them', async (t) => {
    const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:";
    const { page } = await openDemo(t, { isolated: true, headers: { 'content-security-policy': policy } });
    await said(page, 'one thread: the policy of the page lets no more start');
    t.equal(await best(page), '7');
  });
});
