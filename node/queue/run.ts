/** A run: the state of a queue in Redis, which holds inputs and results. */
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Redis } from 'ioredis';

/** Prefix of all keys of this package in Redis. */
export const PREFIX = 'grootvl';
/** Replaces the rows of a batch whose inputs are separate jobs. */
const SPLIT = 'split';
/** Batches per command. */
const PAGE = 32;
const WAIT_MS = 500;

/** What a run computes. */
export interface RunSpec {
  /** The computation: plain data. */
  readonly task: { readonly kind: string; readonly options: object };
  /** The model's path as given by whoever added the run, and its SHA-256. */
  readonly model: string;
  readonly digest: string;
  /** Inputs per job. */
  readonly batch: number;
}

/** Progress of a run, in inputs; those done, failed and set aside together have rows. */
export interface Progress {
  readonly inputs: number;
  readonly batches: number;
  /** Whether all inputs have been added. */
  readonly isAdded: boolean;
  readonly done: number;
  /** Rows with an error. */
  readonly failed: number;
  /** Inputs that were set aside. */
  readonly aside: number;
}

/** A job: a batch, or one input of a batch that was split. */
export interface Unit {
  readonly batch: number;
  readonly input?: number;
}

export interface Row {
  readonly file: string;
  readonly error?: string;
}

/** The run does not exist, or has been replaced. */
class NoRun extends Error {}

/** Appends batches; existing ones must be the same. */
const EXTEND = `
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return -1 end
local first = tonumber(ARGV[2])
for i = 5, #ARGV do
  local there = redis.call('HGET', KEYS[2], first + i - 5)
  if there and there ~= ARGV[i] then return 0 end
end
for i = 5, #ARGV do redis.call('HSET', KEYS[2], first + i - 5, ARGV[i]) end
redis.call('HSET', KEYS[1], 'batches', first + #ARGV - 4, 'inputs', ARGV[3], 'isAdded', ARGV[4])
return 1`;

/** Stores the result of a unit, unless it already has one. */
const SETTLE = `
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return -1 end
if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'done', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'failed', ARGV[5])
if ARGV[6] ~= '' then redis.call('HSET', KEYS[3], ARGV[2], ARGV[6]) end
return 1`;

const CREATE = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1`;

/** After this nothing more is added to a run or stored as a result; its keys can still be found. */
const DISMISS = `
local id = redis.call('HGET', KEYS[1], 'id')
if id then
  redis.call('HSET', KEYS[1], 'dismissed', id)
  redis.call('HDEL', KEYS[1], 'id')
end
return redis.call('HGET', KEYS[1], 'dismissed')`;

function keyOf(name: string): string {
  return `${PREFIX}:${name}`;
}

/** The name of a job, and of the field that holds its rows. */
export function nameOf({ batch, input }: Unit): string {
  return input === undefined ? `b${batch}` : `b${batch}.${input}`;
}

export function unitOf(name: string): Unit {
  const [batch, input] = name.slice(1).split('.');
  return { batch: Number(batch), ...(input !== undefined && { input: Number(input) }) };
}

/** @throws {Error} one line, if it is not what this version stores */
function specOf(name: string, text: string): RunSpec {
  try {
    const spec: RunSpec = JSON.parse(text);
    if (typeof spec.task.kind === 'string' && typeof spec.digest === 'string') return spec;
  } catch {
    // Reported below.
  }
  throw new Error(
    `the run '${name}' was added by another version of this package: use that version, or begin it anew with --force`,
  );
}

export class Run<Input = unknown> {
  private readonly key: string;

  private constructor(
    private readonly redis: Redis,
    readonly name: string,
    readonly id: string,
    readonly spec: RunSpec,
  ) {
    this.key = keyOf(name);
  }

  /** Creates a run. @returns undefined if there is one of that name */
  static async create<Input>(redis: Redis, name: string, spec: RunSpec): Promise<Run<Input> | undefined> {
    const id = randomBytes(4).toString('hex');
    const fields = Object.entries({
      id,
      spec: JSON.stringify(spec),
      inputs: 0,
      batches: 0,
      isAdded: 0,
    }).flat();
    const isNew = await redis.eval(CREATE, 2, keyOf(name), PREFIX, name, ...fields);
    return isNew === 1 ? new Run(redis, name, id, spec) : undefined;
  }

  static async find<Input>(redis: Redis, name: string): Promise<Run<Input> | undefined> {
    const [id, spec] = await redis.hmget(keyOf(name), 'id', 'spec');
    return id && spec ? new Run(redis, name, id, specOf(name, spec)) : undefined;
  }

  /** @throws {NoRun} one line that names the existing runs */
  static async open<Input>(redis: Redis, name: string): Promise<Run<Input>> {
    const run = await Run.find<Input>(redis, name);
    if (run) return run;
    const names = await Run.names(redis);
    const there = names.length > 0 ? `there are: ${names.join(', ')}` : 'there is none';
    throw new NoRun(`there is no run '${name}' on this server (${there}); grootvl queue add begins one`);
  }

  /** The names of the runs on a server. */
  static async names(redis: Redis): Promise<string[]> {
    return (await redis.smembers(PREFIX)).sort();
  }

  /**
   * Ends the run of this name, if there is one: from now on its jobs have no effect.
   * @returns its id, for {@link forget}
   */
  static async dismiss(redis: Redis, name: string): Promise<string | undefined> {
    return ((await redis.eval(DISMISS, 1, keyOf(name))) as string | null) ?? undefined;
  }

  /** Removes the remaining data of a run after `dismiss`. */
  static async forget(redis: Redis, name: string, id: string): Promise<void> {
    const key = keyOf(name);
    await redis.unlink(`${key}:${id}-inputs`, `${key}:${id}-rows`, `${key}:${id}-aside`);
    await redis.multi().del(key).srem(PREFIX, name).exec();
  }

  /**
   * Appends batches of inputs.
   * @param first number of the first of them
   * @param inputs number of inputs of the run including them
   * @throws {Error} if the run has other batches under these numbers
   */
  async extend(
    first: number,
    batches: readonly (readonly Input[])[],
    inputs: number,
    isAdded: boolean,
  ): Promise<void> {
    const values = [this.id, first, inputs, Number(isAdded), ...batches.map(pack)];
    const done = await this.redis.eval(EXTEND, 2, this.key, this.part('inputs'), ...values);
    if (done === -1) throw this.isGone();
    if (done === 0)
      throw new Error(`another grootvl queue add writes other inputs to the run '${this.name}'`);
  }

  /** The inputs of a unit. */
  async inputs({ batch, input }: Unit): Promise<Input[]> {
    const [inputs] = await this.batches(batch, 1);
    return input === undefined ? inputs : [inputs[input]];
  }

  /** The inputs of `count` batches, starting at batch number `first`. */
  async batches(first: number, count: number): Promise<Input[][]> {
    const fields = Array.from({ length: count }, (_, i) => String(first + i));
    const packed = await this.redis.hmgetBuffer(this.part('inputs'), ...fields);
    return packed.map((bytes) => {
      if (!bytes) throw this.isGone();
      return unpack(bytes) as Input[];
    });
  }

  /** Whether each unit has a result: rows, or a split. */
  async areSettled(units: readonly Unit[]): Promise<boolean[]> {
    const replies = await this.redis
      .pipeline(units.map((unit) => ['hexists', this.part('rows'), nameOf(unit)]))
      .exec();
    return (replies ?? []).map(([error, exists]) => {
      if (error) throw error;
      return exists === 1;
    });
  }

  /** Stores the rows of a unit. The first result of a unit is kept, so that each input has one row. */
  async settle(unit: Unit, rows: readonly Row[]): Promise<void> {
    const failed = rows.filter(({ error }) => error !== undefined).length;
    await this.settleAs(unit, pack(rows), rows.length - failed, failed);
  }

  /** Sets the only input of a unit aside. */
  async setAside(unit: Unit, row: Row): Promise<void> {
    await this.settleAs(unit, pack([row]), 0, 0, row.file);
  }

  /** Makes every input of a batch a separate unit. */
  async split(batch: number): Promise<void> {
    await this.settleAs({ batch }, Buffer.from(SPLIT), 0, 0);
  }

  /** Whether a batch was split. */
  async isSplit(batch: number): Promise<boolean> {
    return (await this.redis.hget(this.part('rows'), nameOf({ batch }))) === SPLIT;
  }

  private async settleAs(unit: Unit, value: Buffer, done: number, failed: number, aside = ''): Promise<void> {
    const keys = [this.key, this.part('rows'), this.part('aside')];
    const values = [this.id, nameOf(unit), value, done, failed, aside];
    if ((await this.redis.eval(SETTLE, 3, ...keys, ...values)) === -1) throw this.isGone();
  }

  async progress(): Promise<Progress> {
    const [fields, aside] = await Promise.all([
      this.redis.hmget(this.key, 'id', 'inputs', 'batches', 'isAdded', 'done', 'failed'),
      this.redis.hlen(this.part('aside')),
    ]);
    if (fields[0] !== this.id) throw this.isGone();
    const [inputs, batches, isAdded, done, failed] = fields.slice(1).map(Number);
    return { inputs, batches, isAdded: isAdded === 1, done, failed, aside };
  }

  /** Files that were set aside. */
  async filesAside(): Promise<string[]> {
    return (await this.redis.hvals(this.part('aside'))).sort();
  }

  /**
   * The rows in input order, one page at a time.
   * @param wait whether to wait for missing rows; otherwise they are left out
   */
  async *rows({ wait, signal }: { wait: boolean; signal?: AbortSignal }): AsyncGenerator<Row> {
    for (let next = 0; ; ) {
      signal?.throwIfAborted();
      const { batches, isAdded } = await this.progress();
      if (next >= batches && (isAdded || !wait)) return;
      const page = Array.from({ length: Math.min(PAGE, batches - next) }, (_, i) => next + i);
      for (const [i, rows] of (await this.rowsOf(page)).entries()) {
        const isWhole = rows.every((row) => row !== undefined);
        if (wait && !isWhole) break;
        yield* rows.filter((row) => row !== undefined);
        next = page[i] + 1;
      }
      if (wait && next <= (page.at(-1) ?? next)) await pause(WAIT_MS);
    }
  }

  /** The rows of each batch; undefined for missing ones. */
  private async rowsOf(batches: readonly number[]): Promise<(Row | undefined)[][]> {
    if (batches.length === 0) return [];
    const found = await this.settled(batches.map((batch) => ({ batch })));
    return Promise.all(
      found.map(async (rows, i) => {
        if (rows === undefined) return [undefined];
        if (rows !== SPLIT) return rows;
        const [inputs] = await this.batches(batches[i], 1);
        const units = inputs.map((_, input) => ({ batch: batches[i], input }));
        return (await this.settled(units)).map((each) => (each === SPLIT ? undefined : each?.[0]));
      }),
    );
  }

  private async settled(units: readonly Unit[]): Promise<(Row[] | typeof SPLIT | undefined)[]> {
    const found = await this.redis.hmgetBuffer(this.part('rows'), ...units.map(nameOf));
    return found.map((bytes) => {
      if (!bytes) return undefined;
      return bytes.equals(Buffer.from(SPLIT)) ? SPLIT : (unpack(bytes) as Row[]);
    });
  }

  private part(name: 'inputs' | 'rows' | 'aside'): string {
    return `${this.key}:${this.id}-${name}`;
  }

  private isGone(): NoRun {
    return new NoRun(`the run '${this.name}' was removed or begun anew`);
  }
}

function pack(value: unknown): Buffer {
  return deflateRawSync(JSON.stringify(value));
}

function unpack(bytes: Buffer): unknown {
  return JSON.parse(inflateRawSync(bytes).toString());
}
