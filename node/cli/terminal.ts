/**
 * What commands print, and the streams that they read from and print to. Text from files, models and users never
 * reaches a terminal with its control characters, and output that cannot be written is an error.
 */
import { once } from 'node:events';
import { fstatSync, writeSync } from 'node:fs';
import { formatWithOptions } from 'node:util';
import { escapeCharacter, inline, jsonText, multiline } from '../printable.js';
import { reasonOf } from '../system_error.js';

export { inline, jsonText, multiline };

const ESCAPE = '\x1b';

/** A stream that is printed to. `fd`, where it has one, tells files and devices from pipes. */
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly fd?: number };

/** Where a run of the command line reads from and prints to: `process`, or others in its place. */
export interface Streams {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Output;
  readonly stderr: Output;
}

let streams: Streams = process;
/** Whether a message could not be printed. */
let isMuted = false;

/** Prints lines of a result on standard output. `colours`: they hold colours of ours, which stay. */
export function print(text: string, { colours = false } = {}): void {
  send(streams.stdout, `${colours ? withColours(text) : multiline(text)}\n`);
}

/** {@link multiline}, but for sequences that choose a colour. */
function withColours(text: string): string {
  const [first, ...rest] = text.split(ESCAPE);
  const parts = rest.map(
    (part) => (/^\[\d{1,2}m/.test(part) ? ESCAPE : escapeCharacter(ESCAPE)) + multiline(part),
  );
  return multiline(first) + parts.join('');
}

/** Prints the one document of `--json`. */
export function printJson(value: unknown): void {
  send(streams.stdout, `${jsonText(value)}\n`);
}

/** Prints text as it comes, without a line end. */
export function stream(text: string): void {
  send(streams.stdout, multiline(text));
}

/** Waits until a slow reader of standard output has taken what was printed. */
export async function printed(): Promise<void> {
  const { stdout } = streams;
  if ('writableNeedDrain' in stdout && stdout.writableNeedDrain) await once(stdout, 'drain');
}

/** Prints a line of what a person should know, and which is no result, on standard error. */
export function note(text: string): void {
  send(streams.stderr, `${multiline(text)}\n`);
}

/** Prints what commander writes: help and versions as a result, usage errors as a note. */
export const commanderOutput = {
  writeOut: (text: string) => send(streams.stdout, multiline(text)),
  writeErr: (text: string) => send(streams.stderr, multiline(text)),
  outputError: (text: string, write: (text: string) => void) =>
    write(
      text.replace(
        /^(error: unknown option '-[^-].*')$/m,
        '$1; a name that begins with - is given as ./-name',
      ),
    ),
};

/** What comes on standard input. */
export function standardInput(): AsyncIterable<Uint8Array> {
  return streams.stdin;
}

/** Whether results are read by a person as they come. */
export function printsOnTerminal(): boolean {
  return Boolean(streams.stdout.isTTY);
}

/** Where a progress bar goes: standard error, if it is a terminal that can move the cursor. */
export function progressOutput(): Output | undefined {
  return showsProgress() ? streams.stderr : undefined;
}

/** Whether a bar that moves the cursor may be shown. */
export function showsProgress(output: Pick<Output, 'isTTY'> = streams.stderr): boolean {
  return Boolean(output.isTTY) && process.env.TERM !== 'dumb';
}

/** Whether colours are shown: FORCE_COLOR decides as in Node, then NO_COLOR, then whether it is a terminal that has them. */
export function showsColours(output: Pick<Output, 'isTTY'> = streams.stdout): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = process.env;
  if (FORCE_COLOR !== undefined) return !['0', 'false'].includes(FORCE_COLOR);
  return !NO_COLOR && TERM !== 'dumb' && Boolean(output.isTTY);
}

/** The text that `console.log` makes of values, without colours. */
export function consoleText(...values: unknown[]): string {
  return formatWithOptions({ colors: false }, ...values);
}

/**
 * Has everything that `run` prints go to these streams, escaped, also console messages of libraries. One run at a time:
 * the console is the process's own.
 * @returns the exit status that `run` gives, or 1 in place of 0 where a message could not be printed
 */
export async function withStreams(given: Streams, run: () => Promise<number>): Promise<number> {
  const kept = { streams, console: { ...console } };
  streams = given;
  isMuted = false;
  for (const method of ['log', 'info', 'debug'] as const)
    console[method] = (...values) => print(consoleText(...values));
  for (const method of ['warn', 'error'] as const)
    console[method] = (...values) => note(consoleText(...values));
  try {
    const status = await run();
    return isMuted ? status || 1 : status;
  } finally {
    streams = kept.streams;
    Object.assign(console, kept.console);
  }
}

/**
 * For the whole process: a pipe that nobody reads any more (`| head`) ends it quietly with status 0, any other failure
 * of standard output with a line and status 1.
 */
export function guardOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') note(`grootvl: ${cannotPrint(error)}`);
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  // What failed still says so by its status.
  process.stderr.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? process.exitCode : 1),
  );
}

/** Writes all of a text. @throws {Error} one line, when standard output is a file or a device that takes no more */
function send(output: Output, text: string): void {
  const fd = plainDescriptor(output);
  if (fd === undefined) {
    output.write(text);
    return;
  }
  try {
    writeAll(fd, Buffer.from(text));
  } catch (error) {
    if (output === streams.stdout) throw new Error(cannotPrint(error as Error));
    isMuted = true; // there is nowhere left to say why
  }
}

function cannotPrint(error: Error): string {
  return `cannot write to standard output: ${reasonOf(error)}`;
}

/**
 * The descriptor of files and devices such as /dev/full. Node's own stream takes a part that was written for all of it,
 * so that a disk that fills up goes unnoticed.
 */
function plainDescriptor({ fd, isTTY }: Output): number | undefined {
  if (isTTY || fd === undefined) return undefined;
  try {
    const status = fstatSync(fd);
    return status.isFile() || status.isCharacterDevice() ? fd : undefined;
  } catch {
    return undefined;
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}
