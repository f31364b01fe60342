/** The page as a whole. */
import t from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { openDemo } from './page.js';

const skip = chromiumMissing() ?? false;

t.test('the first visit classifies a digit, and the console is empty', { skip }, async (t) => {
  const { page, messages } = await openDemo(t);
  t.match(await page.locator('.predictions li').first().textContent(), /^7/);
  t.equal(await page.getByRole('alert').count(), 0);
  t.same(messages, []);
});

t.test('tabs are chosen by arrow keys', { skip }, async (t) => {
  const { page } = await openDemo(t);
  await page.getByRole('tab', { name: 'Look' }).focus();
  for (const name of ['Write', 'Verify', 'Look']) {
    await page.keyboard.press('ArrowRight');
    t.ok(await page.getByRole('tab', { name }).evaluate((tab) => tab === document.activeElement), name);
    t.ok(await page.getByRole('tabpanel', { name }).isVisible(), `${name} is shown`);
    t.equal(await page.getByRole('tabpanel').count(), 1, 'alone');
  }
});
