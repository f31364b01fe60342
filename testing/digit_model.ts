/** For tests of commands over images: a folder with a converted model of digits, and images of digits. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TAP } from 'tap';
import { grootvl } from './command_line.js';
import { fixturePath } from './fixtures.js';

/** A folder of digits. */
export const DIGITS = fileURLToPath(new URL('../examples/digits', import.meta.url));
export const SEVEN = join(DIGITS, 'digit-00-label-7.png');
export const TWO = join(DIGITS, 'digit-01-label-2.png');

/** Before the tests, makes the model and `bad.jpg`, which is not an image. */
export function digitModelFolder(t: TAP): { readonly at: (name: string) => string; readonly model: string } {
  const folder = t.testdir();
  const at = (name: string) => join(folder, name);
  const model = at('model');
  t.before(async () => {
    await grootvl('convert', fixturePath('grootv/grootv_nano_mnist.pth') as string, model);
    writeFileSync(at('bad.jpg'), 'hello, world');
  });
  return { at, model };
}
