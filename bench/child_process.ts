/** Measurements in a separate process, whose memory holds nothing else. */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Measures with the files of a temporary folder, which is removed afterwards. */
export async function inTemporaryFolder<Result>(
  measure: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'grootvl-bench-'));
  try {
    return await measure(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Runs `<program>_process` in this folder with a job, and returns the message that it sends.
 * @throws {Error} if it ends without one
 */
export function inProcess<Result>(program: string, job: object): Promise<Result> {
  const path = fileURLToPath(import.meta.resolve(`./${program}_process.js`));
  return new Promise((resolve, reject) => {
    const child = fork(path, [JSON.stringify(job)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    let result: Result | undefined;
    child.on('message', (message) => {
      result = message as Result;
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (result) resolve(result);
      else reject(new Error(`the process that measures the ${program.replace('_', ' ')} ended with ${code}`));
    });
  });
}

/** In such a process: measures the job, and sends the result. */
export async function answer<Job, Result>(measure: (job: Job) => Promise<Result>): Promise<void> {
  process.send?.(await measure(JSON.parse(process.argv[2]) as Job));
  process.disconnect?.();
}

/** The same on the backend wasm. */
export async function answerOnWasm<Job, Result>(measure: (job: Job) => Promise<Result>): Promise<void> {
  const tf = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-backend-wasm');
  const { ready } = await import('../wasm/index.js');
  tf.enableProdMode();
  await tf.setBackend('wasm');
  await ready();
  await answer(measure);
}
