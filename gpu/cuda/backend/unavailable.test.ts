/** Tests machines without a GPU: one clear, typed error, and everything else works. In separate processes. */
import { execFileSync } from 'node:child_process';
import t from 'tap';

/** Returns the output of a program that runs with the GPU hidden. */
function run(program: string): string {
  const env = { ...process.env, GROOTVL_CUDA: 'device', CUDA_VISIBLE_DEVICES: '' };
  return execFileSync(process.execPath, [...process.execArgv, '--input-type=module', '--eval', program], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    cwd: new URL('../../..', import.meta.url), // paths among the options are relative to the root
  }).trim();
}

const entry = JSON.stringify(import.meta.resolve('./index.js'));

t.test('ready() says what is missing and how to fix it', (t) => {
  const printed = run(`
    const { ready, CudaUnavailableError } = await import(${entry});
    const error = await ready().catch((error) => error);
    console.log(JSON.stringify({ typed: error instanceof CudaUnavailableError, code: error.code, message: error.message }));
  `);
  const { typed, code, message } = JSON.parse(printed);
  t.ok(typed);
  t.ok(['NO_DRIVER', 'NO_DEVICE', 'NOT_BUILT'].includes(code), code);
  t.match(message, /^cuda: .*; /, message);
  t.end();
});

t.test('tfjs goes on with another backend', (t) => {
  const printed = run(`
    await import(${entry});
    const tf = await import('@tensorflow/tfjs');
    console.warn = () => {};
    const started = await tf.setBackend('cuda').catch(() => false);
    await tf.setBackend('cpu');
    console.log(started, tf.scalar(2).square().dataSync()[0]);
  `);
  t.equal(printed.split('\n').at(-1), 'false 4');
  t.end();
});
