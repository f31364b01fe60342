/** Rows on disk while a run goes on: what is done is kept when the run ends early. */
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { reasonOf } from '../../system_error.js';
import { syncFile } from '../../unfinished.js';
import { type FailedRow, type PictureRow, RowTally } from './row.js';

/** What a run is about: a run with another one is not continued. */
export interface RunIdentity {
  readonly kind: string;
  /** SHA-256 of the model, hexadecimal. */
  readonly model: string;
  readonly backend: string;
  readonly options: object;
}

/** What a journal has beside its rows. */
interface Header extends RunIdentity {
  readonly journal: typeof VERSION;
}

const VERSION = 'grootvl rows 1';
/** A loss of power takes the rows of so many milliseconds at most. */
const SYNC_MS = 1000;
/** Rows that wait for those before them to be written. */
const MOST_LINES = 1000;
const LINE_FEED = 0x0a;

/** A file beside the one that a run is to give: a line with what the run is about, then a line of JSON a row. */
export class Journal {
  private synced = performance.now();
  /** Rows that are still to be written. */
  private lines: Buffer[] = [];
  private writing: Promise<void> | undefined;
  private failure: Error | undefined;
  /** Of all rows, also those of before. */
  readonly tally = new RowTally();

  private constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    /** Bytes of the first line. */
    private readonly start: number,
    /** How often each file is done. */
    private readonly files: Map<string, number>,
  ) {}

  /**
   * Begins a journal.
   * @throws {Error} one line, when there is one already, or it cannot be written
   */
  static async begin(path: string, identity: RunIdentity): Promise<Journal> {
    const handle = await open(path, 'ax').catch((error: NodeJS.ErrnoException) => {
      const remedy =
        error.code === 'EEXIST'
          ? ': it is of a run that has not ended; --resume continues it, else remove it'
          : '';
      throw new Error(`cannot write ${path}${remedy || `: ${reasonOf(error)}`}`);
    });
    const line = lineOf({ journal: VERSION, ...identity } satisfies Header);
    const journal = new Journal(path, handle, line.length, new Map());
    await journal.append(line);
    return journal;
  }

  /**
   * Goes on with a journal. A last line that was not written whole is dropped.
   * @returns undefined where there is none
   * @throws {Error} one line, when it is about another run, or is none
   */
  static async resume(path: string, identity: RunIdentity): Promise<Journal | undefined> {
    const handle = await open(path, constants.O_RDWR | constants.O_APPEND).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw new Error(`cannot continue ${path}: ${reasonOf(error)}`);
      },
    );
    if (!handle) return undefined;
    try {
      let end = 0;
      let journal: Journal | undefined;
      for await (const line of linesOf(path, 0)) {
        end = line.end;
        if (journal) journal.count(rowOf(path, line.text));
        else {
          checkHeader(path, line.text, identity);
          journal = new Journal(path, handle, end, new Map());
        }
      }
      await handle.truncate(end);
      if (journal) return journal;
      // Ended before its first line was whole.
      await handle.close();
      await rm(path);
      return undefined;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Whether a file is done that comes once more; each row of a resumed journal stands for one input. */
  takeDone(file: string): boolean {
    const left = this.files.get(file);
    if (left === undefined) return false;
    if (left === 1) this.files.delete(file);
    else this.files.set(file, left - 1);
    return true;
  }

  /**
   * Begins to write a row; rows that come while others are written go together.
   * @throws {Error} one line, when it, or one before it, cannot be written
   */
  async write(row: PictureRow | FailedRow): Promise<void> {
    this.lines.push(lineOf(row));
    this.tally.add(row);
    this.writing ??= this.writeLines();
    if (this.failure || this.lines.length > MOST_LINES) await this.written();
  }

  /** All rows, also those of before. @throws {Error} one line, when they could not be written */
  async *all(): AsyncGenerator<PictureRow | FailedRow> {
    await this.written();
    for await (const { text } of linesOf(this.path, this.start)) yield rowOf(this.path, text);
  }

  /** What there is stays, unless there is nothing. */
  async close(): Promise<void> {
    await this.writing;
    await syncFile(this.handle).catch(() => {}); // it is written
    await this.handle.close();
    if (this.tally.rows === 0) await this.remove();
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }

  private count(row: PictureRow | FailedRow): void {
    this.files.set(row.file, (this.files.get(row.file) ?? 0) + 1);
    this.tally.add(row);
  }

  private async writeLines(): Promise<void> {
    try {
      while (this.lines.length > 0) await this.append(Buffer.concat(this.lines.splice(0)));
    } catch (error) {
      this.failure = error as Error;
    }
    this.writing = undefined;
  }

  private async written(): Promise<void> {
    await this.writing;
    if (this.failure) throw this.failure;
  }

  private async append(line: Buffer): Promise<void> {
    try {
      await this.handle.appendFile(line);
      if (performance.now() - this.synced < SYNC_MS) return;
      await syncFile(this.handle);
      this.synced = performance.now();
    } catch (error) {
      throw new Error(`cannot write ${this.path}: ${reasonOf(error)}`);
    }
  }
}

function lineOf(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

/** Whole lines of a file from byte `start` on, and where each ends. */
async function* linesOf(path: string, start: number): AsyncGenerator<{ text: string; end: number }> {
  let rest = Buffer.alloc(0);
  let end = start;
  for await (const piece of createReadStream(path, { start })) {
    rest = rest.length > 0 ? Buffer.concat([rest, piece]) : piece;
    let from = 0;
    for (let at = rest.indexOf(LINE_FEED); at >= 0; at = rest.indexOf(LINE_FEED, from)) {
      end += at + 1 - from;
      yield { text: rest.toString('utf8', from, at), end };
      from = at + 1;
    }
    rest = rest.subarray(from);
  }
}

function rowOf(path: string, text: string): PictureRow | FailedRow {
  const row = parsed(text);
  if (typeof row?.file === 'string') return row as unknown as PictureRow;
  throw new Error(`${path} is damaged: a line of it is no row; remove it to begin anew`);
}

/** @throws {Error} one line, when a journal is none or about another run */
function checkHeader(path: string, text: string, identity: RunIdentity): void {
  const header = parsed(text);
  if (header?.journal !== VERSION) throw new Error(`${path} is no journal of a run; remove it to begin anew`);
  const differing = (['kind', 'model', 'backend', 'options'] as const).find(
    (key) => JSON.stringify(header[key]) !== JSON.stringify(identity[key]),
  );
  if (differing === undefined) return;
  const [before, now] = [header, identity].map((each) => JSON.stringify(each[differing]));
  const what = {
    kind: `it was ${before}, now it is ${now}`,
    model: 'the model is another one',
    backend: `its backend was ${before}, now it is ${now}`,
    options: `its options were ${before}, now they are ${now}`,
  };
  throw new Error(`${path} is of another run: ${what[differing]}; remove it to begin anew`);
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
