/** Image models in the page: their results equal those of the package in Node for the same images. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Locator, Page } from 'playwright-core';
import t from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { convertCheckpoint, MemorySink } from '../../converters/index.js';
import { fileSource } from '../../node/index.js';
import { Detector, GrootV, Segmenter } from '../../plugin/index.js';
import { onBackend } from '../../testing/backends.js';
import { openDemo } from './page.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLES = `${ROOT}examples/`;
const isLong = process.env.GROOTVL_LONG === '1';
/** The others are classified in other pages. */
const DIGITS = readdirSync(`${EXAMPLES}digits`)
  .filter((name) => name.endsWith('.png'))
  .slice(0, isLong ? undefined : 5);
const SCENE = `${EXAMPLES}scenes/scene.png`;
const CAT = `${EXAMPLES}photos/chelsea.png`;
const skip = chromiumMissing() ?? false;

/** A model as in the page. */
async function converted(path: string): Promise<MemorySink> {
  const file = await fileSource(`${ROOT}${path}`);
  const sink = new MemorySink();
  await convertCheckpoint(file, sink, { quantize: 'float16' });
  await file.close();
  return sink;
}

/** Runs `body` with the digit model in Node. */
async function withDigits(body: (model: GrootV) => Promise<void>): Promise<void> {
  await onBackend('wasm', async () => {
    const model = await GrootV.load(await converted('fixtures/grootv/grootv_nano_mnist.pth'));
    await body(model);
    model.dispose();
  });
}

/** Selects an image of the page. */
async function choose(page: Page, title: string): Promise<void> {
  await page.getByRole('radio', { name: title, exact: true }).check({ force: true });
  await page.getByRole('list', { name: title, exact: true }).waitFor();
}

/** Waits until the text below the maps begins with `beginning`. @returns its numbers, the model's scan first */
async function readingAt(page: Page, beginning: string): Promise<number[]> {
  const reading = page.locator('#reading', { hasText: beginning });
  await reading.waitFor();
  const [, own, raster] = /([\d.e-]+) (?:of every place|by the).*? ([\d.e-]+) by a raster/.exec(
    (await reading.textContent()) as string,
  ) as RegExpExecArray;
  return [own, raster].map(Number);
}

/** The centre of a grid cell on the screen. */
async function placeOn(surface: Locator, [x, y]: readonly number[], grid: { width: number; height: number }) {
  const box = (await surface.boundingBox()) as { x: number; y: number; width: number; height: number };
  return [
    box.x + ((x + 0.5) * box.width) / grid.width,
    box.y + ((y + 0.5) * box.height) / grid.height,
  ] as const;
}

/** Number of distinct colours in a canvas. */
function coloursOf(canvas: Locator): Promise<number> {
  return canvas.evaluate((element) => {
    const { width, height } = element as HTMLCanvasElement;
    const context = (element as HTMLCanvasElement).getContext('2d') as CanvasRenderingContext2D;
    return new Set(new Uint32Array(context.getImageData(0, 0, width, height).data.buffer)).size;
  });
}

t.test('looking at images', { skip }, async (t) => {
  const { page, context, messages } = await openDemo(t);

  await t.test('a digit has the class and the probability of the command line', async (t) => {
    await withDigits(async (model) => {
      const expected = await model.classify(DIGITS.map((name) => `${EXAMPLES}digits/${name}`));
      for (const [i, name] of DIGITS.entries()) {
        const [, number, label] = /digit-(\d+)-label-(\d)/.exec(name) as RegExpExecArray;
        await choose(page, `A handwritten ${label} (number ${Number(number)})`);
        const first = page.locator('.predictions li').first();
        const [best] = expected[i];
        t.equal(await first.locator('span').textContent(), best.label, name);
        t.equal(
          await first.locator('output').textContent(),
          `${(100 * best.probability).toFixed(1)} %`,
          name,
        );
      }
    });
  });

  await t.test('affinities under the pointer are those of the package', async (t) => {
    await choose(page, 'A cat');
    await page.locator('#reading', { hasText: 'of 84 × 56' }).waitFor();
    const surface = page.getByRole('application', { name: /^Tree scan/ });
    await surface.scrollIntoViewIfNeeded();
    await withDigits(async (model) => {
      const view = await model.view(CAT, { block: 0, size: 224 });
      const pixel = ([x, y]: readonly number[]) => ({ x: ((x + 0.5) * 448) / 84, y: ((y + 0.5) * 298) / 56 });
      const named = ([x, y]: readonly number[]) => `column ${x + 1}, row ${y + 1}`;
      const isNear = (shown: number, value: number) =>
        t.ok(Math.abs(shown - value) <= 0.0051 * value + 1e-30, `shown ${shown}, expected ${value}`);
      const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

      const maps = async (place: readonly number[]) => [
        (await view.affinity(pixel(place))).values,
        (await view.affinity({ ...pixel(place), scan: 'raster' })).values,
      ];
      for (const place of [
        [27, 24],
        [3, 50],
        [83, 0],
      ]) {
        await page.mouse.move(...(await placeOn(surface, place, view)));
        const shown = await readingAt(page, `To ${named(place)} of 84 × 56`);
        for (const [i, values] of (await maps(place)).entries()) isNear(shown[i], mean(values));
      }

      const anchor = [40, 30];
      await page.mouse.click(...(await placeOn(surface, anchor, view)));
      await readingAt(page, `From ${named(anchor)} to the pinned ${named(anchor)}`);
      const expected = await maps(anchor);
      for (const place of [
        [41, 30],
        [0, 0],
        [60, 12],
        [20, 55],
      ]) {
        await page.mouse.move(...(await placeOn(surface, place, view)));
        const shown = await readingAt(page, `From ${named(place)} to the pinned ${named(anchor)}`);
        for (const [i, values] of expected.entries()) isNear(shown[i], values[place[1] * 84 + place[0]]);
      }
      view.dispose();
    });
    t.match(await page.getByRole('contentinfo').textContent(), /[\d.]+ ms an affinity/);
  });

  await t.test('the keyboard moves the place, and a pinned one is let go', async (t) => {
    const surface = page.getByRole('application', { name: /^Raster scan/ });
    await surface.focus();
    await page.keyboard.press('Enter');
    t.equal(await page.getByRole('button', { name: 'Pin the place' }).getAttribute('aria-pressed'), 'false');
    await readingAt(page, 'To column 21, row 56');
    for (const [key, expected] of [
      ['ArrowRight', 'To column 22, row 56'],
      ['ArrowUp', 'To column 22, row 55'],
      ['Shift+ArrowLeft', 'To column 17, row 55'],
      ['ArrowDown', 'To column 17, row 56'],
      ['ArrowDown', 'To column 17, row 56'],
    ]) {
      await page.keyboard.press(key);
      await readingAt(page, expected);
    }
    await page.getByRole('status').filter({ hasText: 'To column 17, row 56' }).waitFor();
    t.pass('and a screen reader hears of it');
  });

  await t.test('the tree is drawn, coloured anew, enlarged and moved', async (t) => {
    const surface = page.getByRole('application', { name: /Tree of block 1/ });
    const canvas = surface.locator('canvas');
    const shot = () => canvas.evaluate((element) => (element as HTMLCanvasElement).toDataURL());
    const changed = async (before: string) => {
      for (let tries = 0; tries < 100; tries++) {
        const now = await shot();
        if (now !== before) return now;
        await page.waitForTimeout(50);
      }
      throw new Error('the canvas does not change');
    };
    t.ok((await coloursOf(canvas)) > 5000, `${await coloursOf(canvas)} colours`);
    let now = await shot();
    await page.getByLabel('Colours of the tree').selectOption('dissimilarity of neighbours');
    now = await changed(now);
    const whole = now;
    await surface.hover();
    await page.mouse.wheel(0, -400);
    now = await changed(now);
    await page.mouse.down();
    await page.mouse.move(500, 500);
    await page.mouse.up();
    now = await changed(now);
    await surface.focus();
    for (const key of ['+', 'ArrowLeft', '-']) {
      await page.keyboard.press(key);
      now = await changed(now);
    }
    await page.getByRole('button', { name: 'Reset' }).click();
    t.equal(await changed(now), whole, 'all of it again');
  });

  await t.test('fingers move the place and enlarge the tree', async (t) => {
    const devtools = await context.newCDPSession(page);
    await devtools.send('Emulation.setTouchEmulationEnabled', { enabled: true, maxTouchPoints: 2 });
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', ...points: { x: number; y: number }[]) => {
      const touchPoints = points.map((point, id) => ({ ...point, id }));
      return devtools.send('Input.dispatchTouchEvent', { type, touchPoints });
    };
    const map = page.getByRole('application', { name: /^Tree scan/ });
    const at = async (place: readonly number[]) => {
      const [x, y] = await placeOn(map, place, { width: 84, height: 56 });
      return { x, y };
    };
    await touch('touchStart', await at([10, 10]));
    await readingAt(page, 'To column 11, row 11');
    await touch('touchMove', await at([50, 40]));
    await readingAt(page, 'To column 51, row 41');
    await touch('touchEnd');
    t.equal(await page.getByRole('button', { name: 'Pin the place' }).getAttribute('aria-pressed'), 'false');

    const tree = page.getByRole('application', { name: /Tree of block 1/ });
    const shrink = page.getByRole('button', { name: 'Shrink' });
    t.ok(await shrink.isDisabled());
    const box = (await tree.boundingBox()) as { x: number; y: number };
    const [y, left, right] = [box.y + 80, box.x + 100, box.x + 150];
    await touch('touchStart', { x: left, y }, { x: right, y });
    for (let i = 1; i < 5; i++) await touch('touchMove', { x: left - 15 * i, y }, { x: right + 15 * i, y });
    await touch('touchEnd');
    await page.locator('button[aria-label=Shrink]:enabled').waitFor();
    await page.getByRole('button', { name: 'Reset' }).click();
    await devtools.detach();
  });

  await t.test('sliders choose the block and the size', async (t) => {
    const tree = (block: number) => page.getByRole('application', { name: `Tree of block ${block}.` });
    await page.getByRole('slider', { name: 'Size' }).focus();
    await page.keyboard.press('Home');
    await page.locator('#reading', { hasText: 'of 24 × 16' }).waitFor();
    await page.getByRole('slider', { name: 'Block' }).focus();
    await page.keyboard.press('End');
    await page.locator('#reading', { hasText: 'of 3 × 2' }).waitFor();
    t.ok(await tree(5).isVisible());
    t.equal(
      await page.getByRole('slider', { name: 'Block' }).getAttribute('aria-valuetext'),
      '5 of 5, level 4',
    );
    await page.keyboard.press('Home');
    await page.locator('#reading', { hasText: 'of 24 × 16' }).waitFor();
    t.ok(await tree(1).isVisible());
  });

  await t.test(
    'an image of one is opened or pasted; what is none is refused and the page goes on',
    async (t) => {
      const file = page.locator('input[type=file][accept="image/*"]');
      await file.setInputFiles(`${EXAMPLES}digits/digit-61-label-8.png`);
      await page.getByRole('list', { name: 'digit-61-label-8.png' }).waitFor();
      t.match(await page.locator('.predictions li').first().textContent(), /^8/);
      await file.setInputFiles({
        name: 'torn.png',
        mimeType: 'image/png',
        buffer: Buffer.from('no image'),
      });
      const alert = page.getByRole('alert');
      await alert.waitFor();
      t.match(await alert.textContent(), /cannot read image .*: not an image that this browser can decode/);
      await file.setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('text') });
      await page.getByRole('alert').filter({ hasText: 'notes.txt is not an image' }).waitFor();
      await page.evaluate(async () => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 40, height: 20 });
        canvas.getContext('2d')?.fillRect(0, 0, 40, 20);
        const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([blob as Blob], 'pasted.png', { type: 'image/png' }));
        document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
      });
      await page.getByRole('list', { name: 'pasted.png' }).waitFor();
      await page.locator('#reading', { hasText: 'of 32 × 16' }).waitFor();
      t.equal(await page.getByRole('alert').count(), 0);
    },
  );

  await t.test('the camera: none, refused, and a frame of one that is then off', async (t) => {
    const button = page.getByRole('button', { name: 'Camera' });
    await button.click();
    await page.getByRole('alert').filter({ hasText: 'no camera was found' }).waitFor();
    await page.evaluate(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'));
    });
    await button.click();
    await page.getByRole('alert').filter({ hasText: 'the camera was refused' }).waitFor();
    await page.evaluate(() => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      setInterval(() => context.fillRect(0, 0, 64, 48), 30);
      const stream = canvas.captureStream();
      Object.assign(window, { stream });
      navigator.mediaDevices.getUserMedia = () => Promise.resolve(stream);
    });
    await button.click();
    await page.getByRole('button', { name: 'Take the image' }).click();
    await page.getByRole('list', { name: 'From the camera' }).waitFor();
    const states = () =>
      page.evaluate(() =>
        (window as unknown as { stream: MediaStream }).stream.getTracks().map(({ readyState }) => readyState),
      );
    t.same(await states(), ['ended']);
    t.equal(await page.getByRole('dialog').count(), 0);
  });

  await t.test('predictions again and again leave nothing behind', async (t) => {
    const times = isLong ? 1000 : 100;
    await choose(page, 'A handwritten 7 (number 0)');
    await page.getByLabel('How many times').selectOption(`${times} times`);
    await page.getByRole('button', { name: 'Predict again' }).click();
    const result = page.getByRole('status').filter({ hasText: `the median of ${times}` });
    await result.waitFor({ timeout: 120_000 });
    t.match(await result.textContent(), /Memory: unchanged, \d+ tensors of [\d,]+ bytes/);
  });

  await t.test('the scene is segmented as in Node, under a slider', async (t) => {
    await page.getByRole('button', { name: /by pixel/ }).click();
    const legend = page.getByRole('region', { name: 'Classes' });
    await legend.waitFor();
    t.ok(
      await page.getByRole('radio', { name: 'Digits on a photograph' }).isChecked(),
      'an image that suits',
    );
    const shown = await legend.getByRole('listitem').allTextContents();
    await onBackend('wasm', async () => {
      const model = await Segmenter.load(await converted('examples/models/upernet_nano.safetensors'));
      const { classes } = await model.segment(SCENE);
      const percent = (share: number) => (share < 0.0005 ? '<0.1 %' : `${(100 * share).toFixed(1)} %`);
      t.same(
        shown,
        classes.map(({ label, share }) => `${label}${percent(share)}`),
      );
      model.dispose();
    });
    const canvas = page.getByRole('application', { name: /classes of the pixels/ }).locator('canvas');
    const covered = await coloursOf(canvas);
    await page.getByRole('slider', { name: 'Cover of the image' }).focus();
    await page.keyboard.press('Home');
    for (let i = 0; i < 100 && (await coloursOf(canvas)) === covered; i++) await page.waitForTimeout(20);
    t.not(await coloursOf(canvas), covered, 'the photograph alone');
  });

  await t.test('its objects are detected as in Node, above a threshold', async (t) => {
    await page.getByRole('button', { name: /in boxes/ }).click();
    const region = page.getByRole('region', { name: /of \d+ objects/ });
    await region.waitFor();
    await onBackend('wasm', async () => {
      const model = await Detector.load(await converted('examples/models/mask_rcnn_nano.safetensors'));
      const { detections } = await model.detect(SCENE, { scoreThreshold: 0.05 });
      const texts = (least: number) =>
        detections
          .filter(({ score }) => score >= least)
          .map(({ label, score }) => `${label}${score.toFixed(2)}`);
      t.same(await region.getByRole('listitem').allTextContents(), texts(0.3));
      await page.getByRole('slider', { name: 'Least score' }).focus();
      await page.keyboard.press('End');
      await region.getByText('0.95').waitFor();
      t.same(await region.getByRole('listitem').allTextContents(), texts(0.95));
      t.ok(texts(0.95).length < texts(0.3).length);
      model.dispose();
    });
    const canvas = page.getByRole('application', { name: /objects found/ }).locator('canvas');
    // The list is shown before the drawing.
    for (let i = 0; i < 250 && (await coloursOf(canvas)) <= 1000; i++) await page.waitForTimeout(20);
    t.ok((await coloursOf(canvas)) > 1000, 'drawn');
  });

  // Chromium warns about canvases that a test reads.
  t.same(
    messages.filter((message) => !message.includes('willReadFrequently')),
    [],
    'the console is empty',
  );
});

t.test('a size chosen while a block is being opened', { skip }, async (t) => {
  // Every other block is opened late, so that the next one overtakes it.
  const { page } = await openDemo(t, {
    inWorker: `let blocks = 0;
      const { addEventListener } = self;
      self.addEventListener = (type, listener, ...options) =>
        addEventListener.call(self, type, (event) => {
          const isLate = type === 'message' && event.data?.path?.[0] === 'openBlock' && blocks++ % 2 === 0;
          if (isLate) setTimeout(listener, 1000, event);
          else listener(event);
        }, ...options);`,
  });
  const reading = (grid: string) => page.locator('#reading', { hasText: `of ${grid}` }).waitFor();
  await page.getByRole('slider', { name: 'Size' }).press('Home');
  await reading('16 × 16');
  t.equal(await page.getByRole('alert').count(), 0);

  await choose(page, 'A handwritten 2 (number 1)');
  await page.getByRole('slider', { name: 'Size' }).press('ArrowRight');
  await reading('24 × 24');
  t.match(await page.locator('.predictions li').first().textContent(), /^2/, 'the prediction stays');
  await page.waitForTimeout(1000);
  t.ok(await page.locator('#reading', { hasText: 'of 24 × 24' }).isVisible(), 'the late one is not shown');
});
