/** Text generation: a language model continues a text in the page as in Node, and shows the tree of the prompt. */
import type { Locator } from 'playwright-core';
import t, { type Test } from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { GrootL, type PromptTree, type PromptView } from '../../plugin/index.js';
import { onBackend } from '../../testing/backends.js';
import { fixturePath } from '../../testing/fixtures.js';
import { convertedFolder, sinkFiles } from '../../testing/language_models.js';
import { openDemo } from './page.js';

const skip = chromiumMissing() ?? false;

/** The language model bundled with the page. */
const FOLDER = 'grootl/grootl_tiny';
const TITLE = /Texts on licences/;
const PROMPT = 'The maintainer of a package';

type Writer = Awaited<ReturnType<typeof openWriter>>;

/** The page with the language model open and the panel shown. */
async function openWriter(t: Test) {
  const { page, messages } = await openDemo(t);
  await page.getByRole('tab', { name: 'Write' }).click();
  const panel = page.getByRole('tabpanel', { name: 'Write' });
  // Offered while another kind of model is open.
  await panel.getByRole('button', { name: TITLE }).click();
  await panel.getByLabel('Prompt', { exact: true }).fill(PROMPT);
  const generate = panel.getByRole('button', { name: 'Generate' });
  const text = panel.locator('.continuation');
  const ended = panel.getByRole('status').filter({ hasText: /^Ended/ });
  /** @returns the whole text */
  const write = async (fields: Readonly<Record<string, number>>) => {
    for (const [label, value] of Object.entries(fields)) await panel.getByLabel(label).fill(String(value));
    await generate.click();
    await ended.waitFor({ state: 'attached' });
    return text.textContent();
  };
  return { page, messages, panel, text, ended, write };
}

t.test('writing', { skip }, async (t) => {
  const writer = await openWriter(t);
  await t.test('a text is that of the package in Node', (t) => sameText(t, writer));
  await t.test('a text is stopped within a token, and another follows', (t) => stopped(t, writer));
  await t.test('a token shows its parent and its path to the root', (t) => tree(t, writer));
  await t.test('another model ends the text; one without a tree says so', (t) => otherModels(t, writer));
  t.same(writer.messages, [], 'the console is empty');
});

async function sameText(t: Test, { write, ended, panel }: Writer): Promise<void> {
  const text = await write({ 'New tokens': 20, Temperature: 0 });
  const again = await write({ Temperature: 1, 'Top k': 200, Seed: 7 });
  t.equal(await write({}), again, 'a seed repeats a text');
  t.notSame(await write({ Seed: 8 }), again);
  t.match(
    await ended.textContent(),
    /^Ended, the maximum of new tokens is reached: /,
    'announced at the end',
  );
  t.match(
    await panel.locator('.pace').textContent(),
    /^20 tokens, first token after \d+ ms, [\d.]+ tokens a second, the maximum/,
  );
  await onBackend('wasm', async () => {
    const model = await GrootL.load(sinkFiles(await convertedFolder(FOLDER)));
    t.equal(text, (await model.generate(PROMPT, { maxTokens: 20 })).text);
    t.equal(
      again,
      (await model.generate(PROMPT, { maxTokens: 20, temperature: 1, topK: 200, seed: 7 })).text,
    );
    model.dispose();
  });
}

/** Generates, and presses a button in the same task in which the page shows the tenth token. @returns the text shown then */
async function pressMeanwhile(
  { panel }: Writer,
  button: Locator,
): Promise<{ tokens: number; announced: string | null; canGenerate: boolean }> {
  const pressed = await button.elementHandle();
  return panel.evaluate(
    (panel, pressed) =>
      new Promise((resolve) => {
        const generate = panel.querySelector('.primary') as HTMLButtonElement;
        new MutationObserver((_, observer) => {
          const tokens = Number.parseInt(panel.querySelector('.pace')?.textContent ?? '', 10);
          if (!(tokens >= 10)) return;
          observer.disconnect();
          const announced = panel.querySelector('[role=status]')?.textContent ?? null;
          resolve({ tokens, announced, canGenerate: !generate.disabled });
          (pressed as HTMLElement).click();
        }).observe(panel, { subtree: true, childList: true, characterData: true });
        generate.click();
      }),
    pressed,
  );
}

async function stopped(t: Test, writer: Writer): Promise<void> {
  const { panel, text, ended, write } = writer;
  await panel.getByLabel('New tokens').fill('10000');
  await panel.getByLabel('Temperature').fill('1');
  const atStop = await pressMeanwhile(writer, panel.getByRole('button', { name: 'Stop' }));
  t.match(atStop, { announced: '', canGenerate: false }, 'nothing is announced meanwhile');
  await ended.waitFor({ state: 'attached' });
  const pace = (await panel.locator('.pace').textContent()) ?? '';
  t.match(pace, /stopped$/);
  t.ok(
    Number.parseInt(pace, 10) <= atStop.tokens + 1,
    `${pace}, ${atStop.tokens} when the button was pressed`,
  );
  const before = await text.textContent();
  t.match(await ended.textContent(), before ?? '', 'what was written stays');
  t.not(await write({ 'New tokens': 3 }), before);
  t.match(await panel.locator('.pace').textContent(), /^3 tokens/);
}

async function tree(t: Test, { panel, page }: Writer): Promise<void> {
  const tokens = panel.getByRole('toolbar', { name: 'Tokens of the prompt' }).getByRole('button');
  await onBackend('wasm', async () => {
    const model = await GrootL.load(sinkFiles(await convertedFolder(FOLDER)));
    const views = [await model.view(PROMPT), await model.view(PROMPT, { layer: 2 })];
    t.notSame(views[0].tree, views[1].tree, 'layers have trees of their own');
    const texts = views[0].tokens.map(({ text }) => text);
    await tokens.nth(texts.length - 1).waitFor();
    t.same(await tokens.allTextContents(), texts);
    /** Waits until the page shows the same for a token as the view. */
    const shows = async (token: number, { tree }: PromptView) => {
      const { order, parent } = tree as PromptTree;
      const words = [];
      for (let i = order.indexOf(token); ; i = parent[i]) {
        words.push(`“${texts[order[i]].trim()}”`);
        if (i === 0) break;
      }
      const expected =
        words.length === 1
          ? `${words[0]} is the root`
          : `The parent of ${words[0]} is ${words[1]}. Path to the root: ${words.join(' → ')}`;
      await panel.getByText(expected).waitFor();
      t.pass(expected);
    };
    for (const token of texts.keys()) {
      await tokens.nth(token).hover();
      await shows(token, views[0]);
    }
    await tokens.nth(3).focus();
    await page.keyboard.press('ArrowLeft');
    await shows(2, views[0]);
    await page.keyboard.press('Home');
    await shows(0, views[0]);
    await panel.getByLabel('Layer').fill('2');
    await shows(0, views[1]);
    model.dispose();
  });
}

async function otherModels(t: Test, writer: Writer): Promise<void> {
  const { page, panel } = writer;
  await panel.getByLabel('New tokens').fill('10000');
  await pressMeanwhile(writer, page.getByRole('button', { name: /^Handwritten digits/ }));
  await page.getByRole('tabpanel', { name: 'Look' }).waitFor(); // an image model selects its own tab
  await page.getByRole('tab', { name: 'Write' }).click();
  await panel.getByText('Open a language model').waitFor();
  await page.locator('summary', { hasText: 'options' }).click();
  await page.getByLabel('--scan').selectOption('chain');
  await page.getByLabel('Choose a folder').setInputFiles(fixturePath(FOLDER) as string);
  await panel.getByText('This model has no tree').waitFor();
  t.match(await panel.locator('.pace').textContent(), /broken off$/);
  t.equal(await page.getByRole('alert').count(), 0, 'which is not an error');
}
