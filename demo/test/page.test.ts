/** The page as a whole. */
import t from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { openDemo } from './page.js';

const skip = chromiumMissing() ?? false;

t.test('the first visit', { skip }, async (t) => {
  const { page, messages } = await openDemo(t, { offline: true });

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
  });
});
