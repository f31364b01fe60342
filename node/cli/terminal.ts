/**
 * Output and input streams of commands. Control characters in text from files, models and users never reach a terminal, and
 * output that cannot be written is an error.
 */
import { once } from 'node:events';
import { fstatSync, writeSync } from 'node:fs';
import { formatWithOptions } from 'node:util';
import { escapeCharacter, inline, jsonText, multiline } from '../printable.js';
import { reasonOf } from '../system_error.js';

export { inline, jsonText, multiline };

const ESCAPE = '\x1b';

/** An output stream. `fd`, if present, distinguishes files and devices from pipes. */
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly fd?: number };

/** Input and output streams of a run of the command line: `process`, or others. */
export interface Streams {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Output;
  readonly stderr: Output;
}

let streams: Streams = process;
/** Whether a message could not be printed. */
let isMuted = false;

/** Prints lines of a result on standard output. `colours`: keeps colour sequences in the text. */
export function print(text: string, { colours = false } = {}): void {
  send(streams.stdout, `${colours ? withColours(text) : multiline(text)}\n`);
}

/** {@link multiline}, except for colour sequences. */
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

/** Prints text as it arrives, without a line end. */
export function stream(text: string): void {
  send(streams.stdout, multiline(text));
}

/** Waits until a slow reader of standard output has consumed everything that was printed. */
export async function printed(): Promise<void> {
  const { stdout } = streams;
  if ('writableNeedDrain' in stdout && stdout.writableNeedDrain) await once(stdout, 'drain');
}

/** Prints a message for the user that is not part of the result, on standard error. */
export function note(text: string): void {
  send(streams.stderr, `${multiline(text)}\n`);
}

/** Prints the output of commander: help and versions as a result, usage errors as a message. */
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

/** Standard input. */
export function standardInput(): AsyncIterable<Uint8Array> {
  return streams.stdin;
}

/** Whether a person reads results as they are printed. */
export function printsOnTerminal(): boolean {
  return Boolean(streams.stdout.isTTY);
}

/** The stream for a progress bar: standard error, if it is a terminal that can move the cursor. */
export function progressOutput(): Output | undefined {
  return showsProgress() ? streams.stderr : undefined;
}

/** Whether a bar that moves the cursor can be shown. */
export function showsProgress(output: Pick<Output, 'isTTY'> = streams.stderr): boolean {
  return Boolean(output.isTTY) && process.env.TERM !== 'dumb';
}

/** Whether to print colours: FORCE_COLOR decides as in Node, then NO_COLOR, then whether the terminal supports them. */
export function showsColours(output: Pick<Output, 'isTTY'> = streams.stdout): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = process.env;
  if (FORCE_COLOR !== undefined) return !['0', 'false'].includes(FORCE_COLOR);
  return !NO_COLOR && TERM !== 'dumb' && Boolean(output.isTTY);
}

/** The text that `console.log` prints for values, without colours. */
export function consoleText(...values: unknown[]): string {
  return formatWithOptions({ colors: false }, ...values);
}

/**
 * Redirects everything that `run` prints, including console messages of libraries, to these streams, escaped. Only one run at a
 * time, as the console is global to the process.
 * @returns the exit status of `run`, or 1 instead of 0 if a message could not be printed
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
 * For the whole process: a pipe whose reader has gone (`| head`) ends it quietly with status 0, any other failure of standard
 * output with a message and status 1.
 */
export function guardOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') note(`grootvl: ${cannotPrint(error)}`);
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  // A failed command still has its exit status.
  process.stderr.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? process.exitCode : 1),
  );
}

/** Writes the whole text. @throws {Error} one line, if standard output is a file or device that cannot take more */
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
    isMuted = true; // no stream is left to report it on
  }
}

function cannotPrint(error: Error): string {
  return `cannot write to standard output: ${reasonOf(error)}`;
}

/**
 * The descriptor of files and of devices such as /dev/full. Node's own stream treats a partial write as complete, so that a full
 * disk goes unnoticed.
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
