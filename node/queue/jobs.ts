/** The jobs of a run: a queue of BullMQ, to which its units are added and from which workers take them. */
import type { Job, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { importPeer } from './redis.js';
import { nameOf, PREFIX, type Unit } from './run.js';

/** What a job keeps beside its name. */
export interface JobData {
  /** How often it was begun with nothing beside it. */
  readonly tries: number;
}

export type RunJob = Job<JobData, void>;

/** A run that is begun later under the same name has another id, and with it other jobs. */
export interface RunId {
  readonly name: string;
  readonly id: string;
}

/** Who works on a run, and on what. */
export interface Activity {
  readonly active: readonly string[];
  /** Undefined where the server does not tell. */
  readonly workers: readonly string[] | undefined;
}

export interface JobWorkerOptions {
  /** As others see it. */
  readonly name: string;
  readonly concurrency: number;
  /** After how many seconds without a sign of life a job goes to another worker. */
  readonly lock: number;
}

/** BullMQ's stream of events, which nobody reads here. */
const EVENTS = 100;
/** A job that fails comes back at once; `tries` says how often. */
const ATTEMPTS = 1000;

export class Jobs {
  private constructor(
    private readonly queue: Queue<JobData, void>,
    private readonly redis: Redis,
    private readonly prefix: string,
  ) {}

  /** The jobs of a run, for as long as `use` works with them. */
  static async with<T>(redis: Redis, { name, id }: RunId, use: (jobs: Jobs) => Promise<T>): Promise<T> {
    const { Queue } = await importPeer(() => import('bullmq'));
    const prefix = `${PREFIX}:${name}`;
    const queue = new Queue<JobData, void>(id, {
      connection: redis,
      prefix,
      streams: { events: { maxLen: EVENTS } },
      defaultJobOptions: { attempts: ATTEMPTS, removeOnComplete: true, stackTraceLimit: 0 },
    });
    queue.on('error', () => {}); // the connection tells of it
    try {
      return await use(new Jobs(queue, redis, prefix));
    } finally {
      await queue.close();
    }
  }

  /** Adds jobs; one that is there already stays as it is. */
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

  /** Removes all jobs, those that are being done as well. */
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

  /** Gives a job back to the queue. @returns what whoever works on it is to throw */
  async giveBack(job: RunJob): Promise<Error> {
    const { WaitingError } = await importPeer(() => import('bullmq'));
    await job.moveToWait(job.token);
    return new WaitingError();
  }
}
