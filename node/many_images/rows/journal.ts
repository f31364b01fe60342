/** Keeps the rows of a run on disk while it goes on, so that they are not lost if it ends early. */
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { reasonOf } from '../../system_error.js';
import { syncFile } from '../../unfinished.js';
import { type FailedRow, type ImageRow, RowTally } from './row.js';

/** Identity of a run: a run with another one is not resumed. */
export interface RunIdentity {
  readonly kind: string;
  /** SHA-256 of the model, hexadecimal. */
  readonly model: string;
  readonly backend: string;
  readonly options: object;
}

/** Content of a journal in addition to its rows. */
interface Header extends RunIdentity {
  readonly journal: typeof VERSION;
}

const VERSION = 'grootvl rows 1';
/** A loss of power loses the rows of at most this many milliseconds. */
const SYNC_MS = 1000;
/** Maximum number of rows that wait for earlier ones to be written. */
const MOST_LINES = 1000;
const LINE_FEED = 0x0a;

/** A file beside the output of a run: a line with the identity of the run, then one line of JSON per row. */
export class Journal {
  private synced = performance.now();
  /** Rows that have not been written yet. */
  private lines: Buffer[] = [];
  private writing: Promise<void> | undefined;
  private failure: Error | undefined;
  /** Of all rows, including earlier ones. */
  readonly tally = new RowTally();

  private constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    /** Bytes of the first line. */
    private readonly start: number,
    /** Bytes of the file. */
    private size: number,
    /** How often each file has been done. */
    private readonly files: Map<string, number>,
  ) {}

  /**
   * Creates a journal.
   * @throws {Error} one line, if there is one already, or it cannot be written
   */
  static async begin(path: string, identity: RunIdentity): Promise<Journal> {
    const handle = await open(path, 'ax').catch((error: NodeJS.ErrnoException) => {
      const remedy =
        error.code === 'EEXIST'
          ? ': it is of a run that has not ended; --resume continues it, else remove it'
          : '';
      throw new Error(`cannot write "${path}"${remedy || `: ${reasonOf(error)}`}`);
    });
    const line = lineOf({ journal: VERSION, ...identity } satisfies Header);
    const journal = new Journal(path, handle, line.length, 0, new Map());
    try {
      await journal.append(line);
      return journal;
    } catch (error) {
      await journal.close();
      throw error;
    }
  }

  /**
   * Resumes a journal. An incomplete last line is dropped.
   * @returns undefined if there is none
   * @throws {Error} one line, if it belongs to another run, or is not a journal
   */
  static async resume(path: string, identity: RunIdentity): Promise<Journal | undefined> {
    const handle = await open(path, constants.O_RDWR | constants.O_APPEND).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw new Error(`cannot continue "${path}": ${reasonOf(error)}`);
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
          journal = new Journal(path, handle, end, end, new Map());
        }
        if (journal) journal.size = end;
      }
      if ((await handle.stat()).size > end) await handle.truncate(end);
      if (journal) return journal;
      // It ended before its first line was complete.
      await handle.close();
      await rm(path);
      return undefined;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Whether a file has been done, counted once per call; each row of a resumed journal is for one input. */
  takeDone(file: string): boolean {
    const left = this.files.get(file);
    if (left === undefined) return false;
    if (left === 1) this.files.delete(file);
    else this.files.set(file, left - 1);
    return true;
  }

  /**
   * Starts writing a row; rows that arrive during a write are written together.
   * @throws {Error} one line, if it or an earlier one cannot be written
   */
  async write(row: ImageRow | FailedRow): Promise<void> {
    this.lines.push(lineOf(row));
    this.tally.add(row);
    this.writing ??= this.writeLines();
    if (this.failure || this.lines.length > MOST_LINES) await this.written();
  }

  /** All rows, including earlier ones. @throws {Error} one line, if they could not be written */
  async *all(): AsyncGenerator<ImageRow | FailedRow> {
    await this.written();
    await this.checkOwned();
    for await (const { text } of linesOf(this.path, this.start)) yield rowOf(this.path, text);
  }

  /** Keeps the journal, unless it has no rows. */
  async close(): Promise<void> {
    await this.writing;
    await syncFile(this.handle).catch(() => {}); // the data is already written
    const { size } = await this.handle.stat();
    await this.handle.close();
    if (size <= this.start) await this.remove();
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }

  private count(row: ImageRow | FailedRow): void {
    this.files.set(row.file, (this.files.get(row.file) ?? 0) + 1);
    this.tally.add(row);
  }

  private async writeLines(): Promise<void> {
    try {
      while (this.lines.length > 0) await this.append(Buffer.concat(this.lines.splice(0)));
    } catch (error) {
      this.failure ??= error as Error;
    }
    this.writing = undefined;
  }

  private async written(): Promise<void> {
    await this.writing;
    if (this.failure) throw this.failure;
  }

  /** @throws {Error} one line, if another process has written or removed it: two runs would each add the rows of all inputs */
  private async checkOwned(): Promise<void> {
    const { size, nlink } = await this.handle.stat();
    if (size === this.size && nlink > 0) return;
    throw new Error(`${this.path} is written or was removed by another process`);
  }

  private async append(line: Buffer): Promise<void> {
    await this.checkOwned();
    try {
      await this.handle.appendFile(line);
      this.size += line.length;
      if (performance.now() - this.synced < SYNC_MS) return;
      await syncFile(this.handle);
      this.synced = performance.now();
    } catch (error) {
      throw new Error(`cannot write "${this.path}": ${reasonOf(error)}`);
    }
  }
}

function lineOf(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

/** Complete lines of a file from byte `start`, and where each ends. */
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

function rowOf(path: string, text: string): ImageRow | FailedRow {
  const row = parsed(text);
  if (typeof row?.file === 'string') return row as unknown as ImageRow;
  throw new Error(`"${path}" is damaged: a line of it is not a row; remove it to begin anew`);
}

/** @throws {Error} one line, if it is not a journal or belongs to another run */
function checkHeader(path: string, text: string, identity: RunIdentity): void {
  const header = parsed(text);
  if (header?.journal !== VERSION)
    throw new Error(`"${path}" is not a journal of a run; remove it to begin anew`);
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
  throw new Error(`"${path}" is of another run: ${what[differing]}; remove it to begin anew`);
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
