/** Runs a task in worker threads, to use all cores of a machine. */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type CliBackend, runsOnDevice } from '../backend.js';
import type { ImageInput } from '../images/image_files.js';
import type { Opened, PoolMessage, ThreadFailure } from './pool_thread.js';
import { readSharedModel } from './shared_model.js';
import {
  BATCHES_OF_A_MODEL,
  type FailedRow,
  type ImageRow,
  type OpenOptions,
  type Runner,
  type TaskSpec,
} from './task.js';

export interface Pool<Input extends ImageInput = ImageInput, Row extends ImageRow = ImageRow>
  extends Runner<Input, Row> {
  readonly threads: number;
}

/** Number of workers for `--workers auto`: one per core, or just one if the model runs on a device other than the CPU. */
export async function threadsFor(backend: CliBackend): Promise<number> {
  return (await runsOnDevice(backend)) ? 1 : availableParallelism();
}

/**
 * Opens a task in worker threads; resolves when all have opened it. The model is read once.
 * @param threads at least 1
 * @throws {Error} one line, if the backend or the model is not available
 */
export async function openPool<Input extends ImageInput = ImageInput, Row extends ImageRow = ImageRow>(
  spec: TaskSpec,
  threads: number,
  { warn }: Pick<OpenOptions, 'warn'> = {},
): Promise<Pool<Input, Row>> {
  const { Piscina } = await import('piscina');
  const pool = new Piscina<PoolMessage>({
    filename: fileURLToPath(import.meta.resolve('./pool_thread.js')),
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: BATCHES_OF_A_MODEL,
    atomics: 'disabled', // a thread that waits for an image must not block
    recordTiming: false,
    workerData: { spec },
    execArgv: threadFlags(),
  });
  pool.on('error', () => {}); // an idle thread has ended; another one replaces it
  const ask = async <T extends object>(message: PoolMessage): Promise<T> => {
    const answer: T | ThreadFailure = await pool.run(message).catch((error: Error) => {
      throw new Error(`a worker ended before its images were done: ${error.message}`);
    });
    if ('failure' in answer) throw new Error(answer.failure);
    return answer;
  };
  try {
    const model = await readSharedModel(spec.model);
    // The least busy thread is chosen, so that each gets one.
    const opening = Array.from({ length: threads }, () => ask<Opened>({ open: model }));
    const [{ backend, batch, warnings }] = await Promise.all(opening);
    for (const warning of warnings) warn?.(warning);
    return {
      backend,
      batch,
      threads,
      inFlight: threads * BATCHES_OF_A_MODEL,
      run: (inputs) => ask<(Row | FailedRow)[]>({ inputs }),
      dispose: () => pool.destroy(),
    };
  } catch (error) {
    await pool.destroy();
    throw error;
  }
}

/**
 * Flags for threads: tfjs's packages are CommonJS, and each thread would parse their 3 MB once more to find that out. Undefined
 * if the process has flags, which threads then inherit: V8's would be rejected here.
 */
function threadFlags(): string[] | undefined {
  const flag = '--experimental-detect-module';
  const isKnown = process.allowedNodeEnvironmentFlags.has(flag);
  return isKnown && process.execArgv.length === 0 ? [`--no-${flag.slice(2)}`] : undefined;
}
