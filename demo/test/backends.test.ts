/** Backends of the page: each gives the same result, and the page recovers from the loss of a GPU. */
import type { Page } from 'playwright-core';
import t from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { chooseSmallestSize, openDemo } from './page.js';

/** The status of the current backend, once nothing is in progress. */
async function status(page: Page): Promise<string> {
  const line = page.locator('footer [aria-busy=false]');
  await line.waitFor();
  return (await line.textContent()) ?? '';
}

const best = (page: Page) => page.locator('.predictions li').first().locator('span').textContent();

async function choose(page: Page, backend: string): Promise<void> {
  await page.getByLabel('Backend').selectOption(backend);
  await page.locator('footer [aria-busy]', { hasText: `${backend}: ` }).waitFor();
}

t.test('in a browser', { skip: chromiumMissing() }, async (t) => {
  const { page, messages } = await openDemo(t);

  await t.test('the backend that auto takes, and the plain one', async (t) => {
    t.match(await status(page), /wasm: WebAssembly, one thread .* ms a prediction .* tensors/);
    t.equal(await best(page), '7');
    await chooseSmallestSize(page);
    await choose(page, 'cpu');
    t.match(await status(page), /cpu: plain JavaScript/);
    t.equal(await best(page), '7');
    t.same(messages, []);
  });

  for (const [backend, taken] of [
    ['webgl', 'the WebGL context'],
    ['webgpu', 'the GPU'],
  ] as const) {
    await t.test(`${backend}, also when ${taken} is taken away`, async (t) => {
      const option = page.locator('footer option', { hasText: new RegExp(`^${backend}$`) });
      await option.waitFor({ state: 'attached' });
      if (await option.isDisabled()) return void t.pass(`no ${backend} in this browser`);
      await choose(page, backend);
      await status(page);
      t.equal(await best(page), '7');
      t.notOk(await page.getByRole('alert').isVisible());

      const [worker] = page.workers();
      await worker.evaluate(() => {
        interface Backend {
          getGPGPUContext?(): { readonly gl: WebGLRenderingContext };
          readonly device?: { destroy(): void };
        }
        const { _tfengine } = globalThis as unknown as { _tfengine: { backendInstance: Backend } };
        const { backendInstance } = _tfengine;
        const { gl } = backendInstance.getGPGPUContext?.() ?? {};
        if (gl) gl.getExtension('WEBGL_lose_context')?.loseContext();
        else backendInstance.device?.destroy();
      });
      const alert = page.getByRole('alert').filter({ hasText: 'the page goes on' });
      await alert.waitFor();
      const message = await alert.textContent();
      t.match(message, `${backend}: the browser has taken ${taken} away`);
      t.match(message, `the page goes on with ${backend}`);
      t.match(await status(page), `${backend}: `);
      t.equal(await best(page), '7');
      t.same(
        messages.filter((message) => /^error/.test(message)),
        [],
      );
    });
  }
});
