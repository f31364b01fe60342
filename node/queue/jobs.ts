/** The jobs of a run: a queue of BullMQ, to which its units are added and from which workers take them. */
import type { Job, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { importPeer } from './redis.js';
import { nameOf, PREFIX, type Unit } from './run.js';

/** Data of a job in addition to its name. */
export interface JobData {
  /** How often it was started on its own, with no other job beside it. */
  readonly tries: number;
}

export type RunJob = Job<JobData, void>;

/** A run that is later created under the same name has another id, and thus other jobs. */
export interface RunId {
  readonly name: string;
  readonly id: string;
}

/** The workers of a run, and their jobs. */
export interface Activity {
  readonly active: readonly string[];
  /** Undefined if the server does not report it. */
  readonly workers: readonly string[] | undefined;
}

export interface JobWorkerOptions {
  /** Name shown to others. */
  readonly name: string;
  readonly concurrency: number;
  /** Seconds without a sign of life after which a job is given to another worker. */
  readonly lock: number;
}

/** Length of BullMQ's event stream, which is not used here. */
const EVENTS = 100;
/** A job that fails is retried at once; `tries` counts the attempts. */
const ATTEMPTS = 1000;

export class Jobs {
  private constructor(
    private readonly queue: Queue<JobData, void>,
    private readonly redis: Redis,
    private readonly prefix: string,
  ) {}

  /** Opens the jobs of a run, passes them to `use` and closes them afterwards. */
  static async with<T>(redis: Redis, { name, id }: RunId, use: (jobs: Jobs) => Promise<T>): Promise<T> {
    const { Queue } = await importPeer(() => import('bullmq'));
    const prefix = `${PREFIX}:${name}`;
    const queue = new Queue<JobData, void>(id, {
      connection: redis,
      prefix,
      streams: { events: { maxLen: EVENTS } },
      defaultJobOptions: { attempts: ATTEMPTS, removeOnComplete: true, stackTraceLimit: 0 },
    });
    queue.on('error', () => {}); // reported by the connection
    try {
      return await use(new Jobs(queue, redis, prefix));
    } finally {
      await queue.close();
    }
  }

  /** Adds jobs; existing ones are left unchanged. */
  async add(units: readonly Unit[]): Promise<void> {
    const jobs = units.map((unit) => ({ name: 'batch', data: { tries: 0 }, opts: { jobId: nameOf(unit) } }));
    if (jobs.length > 0) await this.queue.addBulk(jobs);
  }

  async activity(): Promise<Activity> {
    const jobs = await this.queue.getActive();
    const workers = await this.queue.getWorkers().catch(() => undefined); // CLIENT LIST may be forbidden
    return {
      active: jobs.flatMap(({ id }) => id ?? []),
      workers: workers?.map(({ rawname = '' }) => rawname.replace(/^.*:w:/, '')).sort(),
    };
  }

  /** Removes all jobs, including those in progress. */
  async remove(): Promise<void> {
    await this.queue.obliterate({ force: true });
  }

  /** A worker that takes jobs after its `run()`. */
  async worker(
    work: (job: RunJob) => Promise<void>,
    { name, concurrency, lock }: JobWorkerOptions,
  ): Promise<Worker<JobData, void>> {
    const { Worker } = await importPeer(() => import('bullmq'));
    return new Worker<JobData, void>(this.queue.name, work, {
      connection: this.redis,
      prefix: this.prefix,
      name,
      concurrency,
      autorun: false,
      lockDuration: 1000 * lock,
      stalledInterval: 1000 * lock,
      maxStalledCount: Number.MAX_SAFE_INTEGER, // `tries` decides
      drainDelay: 1,
      runRetryDelay: 1000,
    });
  }

  /** Returns a job to the queue. @returns the error that its processor must throw */
  async giveBack(job: RunJob): Promise<Error> {
    const { WaitingError } = await importPeer(() => import('bullmq'));
    await job.moveToWait(job.token);
    return new WaitingError();
  }
}
