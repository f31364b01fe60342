/** Backends of the page: each gives the same answer, and a GPU that is taken away is no end of it. */
import type { Page } from 'playwright-core';
import t from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { openDemo } from './page.js';

/** What is said of the backend that computes, once nothing is being done. */
async function status(page: Page): Promise<string> {
  const line = page.locator('[role=status][aria-busy=false]');
  await line.waitFor();
  return (await line.textContent()) ?? '';
}

const best = (page: Page) => page.locator('.predictions li').first().locator('span').textContent();

async function choose(page: Page, backend: string): Promise<void> {
  await page.getByLabel('Backend').selectOption(backend);
  await page.locator('[role=status]', { hasText: `${backend}: ` }).waitFor();
}

t.test('in a browser', { skip: chromiumMissing() }, async (t) => {
  t.test('each backend finds the digit', async (t) => {
    const { page, messages } = await openDemo(t);
    t.match(await status(page), /wasm: WebAssembly, one thread .* ms a prediction .* tensors/);
    t.equal(await best(page), '7');
    const offered = await page.locator('footer option:not(:disabled)').allTextContents();
    t.match(offered, ['auto', /webgpu|webgl/]);
    for (const backend of offered.filter((name) => name !== 'auto' && name !== 'wasm')) {
      await choose(page, backend);
      await status(page);
      t.equal(await best(page), '7', backend);
      t.notOk(await page.getByRole('alert').isVisible(), backend);
    }
    t.same(messages, []);
  });

  t.test('a WebGL context is taken away', async (t) => {
    const { page, messages } = await openDemo(t);
    await choose(page, 'webgl');
    const [worker] = page.workers();
    await worker.evaluate(() => {
      type Backend = { getGPGPUContext(): { gl: WebGLRenderingContext } };
      const { _tfengine } = globalThis as unknown as { _tfengine: { backendInstance: Backend } };
      _tfengine.backendInstance.getGPGPUContext().gl.getExtension('WEBGL_lose_context')?.loseContext();
    });
    const alert = page.getByRole('alert');
    await alert.waitFor();
    t.match(
      await alert.textContent(),
      'webgl: the browser has taken the WebGL context away; the page goes on with webgl',
    );
    t.match(await status(page), /webgl: /);
    t.equal(await best(page), '7');
    t.same(
      messages.filter((message) => /^error/.test(message)),
      [],
    );
  });

  t.test('threads, where the page is isolated', async (t) => {
    const { page, messages } = await openDemo(t, { isolated: true });
    t.match(await status(page), /wasm: WebAssembly, (one thread|\d threads)/); // tfjs takes half of the processors
    const [worker] = page.workers();
    const shared = await worker.evaluate(() => {
      const { _tfengine } = globalThis as unknown as {
        _tfengine: { backendInstance: { wasm: { wasmMemory: WebAssembly.Memory } } };
      };
      return _tfengine.backendInstance.wasm.wasmMemory.buffer instanceof SharedArrayBuffer;
    });
    t.ok(shared, 'the build with threads has started');
    t.equal(await best(page), '7');
    t.same(messages, []);
  });
});
