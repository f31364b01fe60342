/** The page without a mouse, without colours, without motion: axe's findings, and what the Tab key reaches. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { chooseSmallestSize, openDemo } from './page.js';

const skip = chromiumMissing() ?? false;

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const CLASSIFIER = /^Handwritten digits/;
const WRITER = /^Texts on licences/;
const TABS = ['Look', 'Write', 'Verify'];
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

t.test('the page', { skip }, async (t) => {
  const { page, messages } = await openDemo(t);
  await chooseSmallestSize(page);
  await t.test('who asked for no motion sees none', (t) => checkMotion(t, page));
  await t.test('the Tab key reaches every control, and shows where it is', (t) => checkTabKey(t, page));
  await t.test('axe finds nothing serious', (t) => checkByAxe(t, page));
  t.same(messages, [], 'the console is empty');
});

async function checkByAxe(t: Test, page: Page): Promise<void> {
  await page.evaluate(AXE);
  await openModel(page, CLASSIFIER);
  await checkTabs(t, page, 'a classifier', TABS);
  for (const model of [/^Digits in a scene, by pixel/, /^Digits in a scene, in boxes/]) {
    await openModel(page, model);
    await page.getByRole('tab', { name: 'Look' }).click();
    await page.locator('.dense canvas').first().waitFor();
    await checkTabs(t, page, String(model), ['Look']);
  }
  await openModel(page, WRITER);
  await page.getByRole('tab', { name: 'Write' }).click();
  await page.getByRole('button', { name: 'Generate' }).click();
  await page.getByRole('toolbar').getByRole('button').nth(2).hover();
  await checkTabs(t, page, 'a language model', ['Write']);
  await page.getByRole('tab', { name: 'Verify' }).click();
  await page.getByRole('button', { name: 'Run the suite' }).click();
  await page.locator('.matrix td button').nth(3).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await checkTabs(t, page, 'results of the suite', ['Verify']);
  await openModel(page, CLASSIFIER);
  await page.getByRole('tab', { name: 'Look' }).click();
  for (const [i, label] of ['Choose files', 'Open an image'].entries()) {
    await page.getByLabel(label).setInputFiles({ name: 'a.pth', mimeType: '', buffer: Buffer.from('no') });
    await page.getByRole('alert').nth(i).waitFor();
  }
  t.equal(await page.getByRole('alert').count(), 2, 'a model that is not added, and the error bar');
  await page.locator('summary').evaluateAll((all) => {
    for (const summary of all) (summary as HTMLElement).click();
  });
  await checkTabs(t, page, 'after errors', TABS);
}

async function openModel(page: Page, title: RegExp): Promise<void> {
  await page.getByRole('button', { name: title }).click();
  await page.getByRole('button', { name: title, pressed: true }).waitFor();
}

/** Light on a wide screen, dark on a narrow one. */
async function checkTabs(t: Test, page: Page, state: string, tabs: readonly string[]): Promise<void> {
  for (const tab of tabs) {
    await page.getByRole('tab', { name: tab }).click();
    for (const [colorScheme, viewport] of [
      ['light', WIDE],
      ['dark', PHONE],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport);
      await untilIdle(page);
      t.same(await violations(page), [], `${state}, ${tab}, ${colorScheme}, ${viewport.width} pixels`);
    }
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    t.ok(overflow <= 0, `${state}, ${tab}: nothing reaches out of a narrow screen`);
  }
  await page.setViewportSize(WIDE);
}

/** Pending elements are paler. */
async function untilIdle(page: Page): Promise<void> {
  await page.waitForFunction(
    () => !document.querySelector('[aria-busy="true"]') && document.getAnimations().length === 0,
  );
}

/** Serious and critical violations, one per line. */
function violations(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: (options: object) => Promise<AxeResults> } };
    const { violations } = await axe.run({ resultTypes: ['violations'] });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`);
  });
}

async function checkTabKey(t: Test, page: Page): Promise<void> {
  await page.setViewportSize(PHONE);
  for (const tab of TABS) {
    if (tab === 'Write') await openModel(page, WRITER);
    await page.getByRole('tab', { name: tab }).click();
    if (tab === 'Write') await page.getByRole('toolbar').waitFor();
    await untilIdle(page);
    const { missed, unseen, reached } = await walk(page);
    t.same(missed, [], `${tab}: ${reached} controls, none is missed`);
    t.same(unseen, [], `${tab}: each is seen to have the focus`);
  }
  await page.setViewportSize(WIDE);
}

/** Presses Tab until it has cycled through the page. */
async function walk(page: Page): Promise<{ reached: number; missed: string[]; unseen: string[] }> {
  const expected = await page.evaluate(() => {
    (document.activeElement as HTMLElement).blur();
    const controls = document.querySelectorAll<HTMLElement>(
      'button, input, select, textarea, summary, a[href], video[controls], [tabindex]',
    );
    const all = [...controls].filter(
      (control) => control.tabIndex >= 0 && !control.matches(':disabled') && control.checkVisibility(),
    );
    // The Tab key reaches only one of the radio buttons with the same name.
    const reachable = all.filter(
      (control) => !(control instanceof HTMLInputElement && control.type === 'radio') || control.checked,
    );
    for (const [i, control] of reachable.entries()) control.dataset.walk = String(i);
    return reachable.map((control) => control.outerHTML.slice(0, 120));
  });
  const reached = new Set<number>();
  const unseen: string[] = [];
  // Between the last control and the first the focus is outside the page.
  for (let press = 0; press < expected.length + 3; press++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      const marked = element.closest('label') ?? element;
      const hasOutline = [element, marked].some((each) => getComputedStyle(each).outlineStyle !== 'none');
      const footer = document.querySelector('footer') as HTMLElement;
      // Canvases may be higher than the viewport; for a text field the caret is scrolled into view.
      const { top, height } = marked.getBoundingClientRect();
      const isCovered =
        !footer.contains(element) && top + Math.min(height, 24) > footer.getBoundingClientRect().top + 1;
      const isSeen = hasOutline && !isCovered;
      return { id: element.dataset.walk, isSeen, html: element.outerHTML.slice(0, 120) };
    });
    if (focused.id === undefined) continue;
    reached.add(Number(focused.id));
    if (!focused.isSeen) unseen.push(focused.html);
  }
  return { reached: reached.size, missed: expected.filter((_, i) => !reached.has(i)), unseen };
}

async function checkMotion(t: Test, page: Page): Promise<void> {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  for (const tab of TABS) {
    await page.getByRole('tab', { name: tab }).click();
    const moving = await page.evaluate(() =>
      [...document.querySelectorAll('*')]
        .filter((element) => {
          const { transitionDuration, animationName } = getComputedStyle(element);
          return animationName !== 'none' || /[1-9]/.test(transitionDuration);
        })
        .map(({ outerHTML }) => outerHTML.slice(0, 120)),
    );
    t.same(moving, [], tab);
  }
  await page.emulateMedia({ reducedMotion: null });
  await page.getByRole('tab', { name: TABS[0] }).click();
}
