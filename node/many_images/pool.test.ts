/** Threads that end, and memory use independent of the number of inputs: the built program, in a separate process. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { writeClassifier } from '../../bench/image_folders.js';
import { grootvl, grootvlProcess } from '../../testing/command_line.js';
import { fixturePath } from '../../testing/fixtures.js';

const DIGITS = fileURLToPath(new URL('../../examples/digits', import.meta.url));
const digits = readdirSync(DIGITS)
  .filter((name) => name.endsWith('.png'))
  .map((name) => join(DIGITS, name));
const folder = t.testdir();
const at = (name: string) => join(folder, name);
const model = at('model');

/**
 * Ends the first thread when it has answered some batches: between two, because Node 20 aborts if a thread is terminated while it
 * creates a decompressor.
 */
const ENDS_A_THREAD = `data:text/javascript,${encodeURIComponent(`
import { MessagePort, threadId } from 'node:worker_threads';
if (threadId === 1) {
  const { postMessage } = MessagePort.prototype;
  let answers = 0;
  MessagePort.prototype.postMessage = function (...args) {
    if (++answers > 5) process.exit(1);
    return postMessage.apply(this, args);
  };
}`)}`;

t.test('a model', async (t) => {
  t.equal((await grootvl('convert', fixturePath('grootv/grootv_nano_mnist.pth') as string, model)).status, 0);
});

t.test('a thread that ends: one clear error, and nothing that is done is lost', async (t) => {
  const inputs = Array.from({ length: 400 }, (_, i) => digits[i % digits.length]);
  const out = at('rows.ndjson');
  const args = ['classify', model, '-', '--batch', '2', '--workers', '2', '--top', '1', '--out', out];
  const options = { input: inputs.join('\n') };
  const ended = await grootvlProcess({ ...options, preload: ENDS_A_THREAD }, ...args);
  t.match(ended, { status: 1, stderr: /^grootvl: a worker ended before its images were done: [^\n]*\n$/ });
  t.notOk(existsSync(out));
  const done = readFileSync(`${out}.partial`, 'utf8').split('\n').length - 2;
  t.ok(done >= 4 && done < inputs.length, `${done} rows are kept`);
  const resumed = await grootvlProcess(options, ...args, '--resume');
  t.equal(resumed.status, 0, resumed.stderr);
  const files = readFileSync(out, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).file);
  t.same(files.sort(), [...inputs].sort(), 'every input once');
});

t.test('memory does not grow with the number of inputs', async (t) => {
  // Most of the time is that of reading images and writing rows.
  const smallest = at('smallest');
  await writeClassifier(smallest, { channels: 4, depths: [1] }, 32);
  const peak = async (count: number) => {
    const input = Array.from({ length: count }, (_, i) => digits[i % digits.length]).join('\n');
    const args = ['-', '--out', at(`${count}.ndjson`)];
    const outcome = await grootvlProcess({ input }, 'classify', smallest, ...args);
    t.match(outcome, { status: 0, stdout: new RegExp(`^${count} rows written`) });
    return outcome.peak;
  };
  const [few, many] = process.env.GROOTVL_LONG ? [10_000, 100_000] : [100, 1000];
  const [small, large] = [await peak(few), await peak(many)];
  t.comment(`${few} inputs: ${small.toFixed(0)} MB, ${many} inputs: ${large.toFixed(0)} MB`);
  // Node's heap grows for some thousands of images: a short run can only show that images are not leaked.
  t.ok(large < small * (process.env.GROOTVL_LONG ? 1.1 : 1.5), `${large} of ${small} MB`);
});
