/**
 * What commands print. Text from files, models and users never reaches a terminal with its control characters, and
 * output that cannot be written is an error: `guardOutput` holds both for everything that the process prints.
 */
import { fstatSync, writeSync } from 'node:fs';
import { formatWithOptions } from 'node:util';
import { isDescriptor } from '../atomic_file.js';
import { reasonOf } from '../system_error.js';

/** C0 and C1 controls, line and paragraph separators, and what changes the direction of text. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
const ESCAPE = '\x1b';
const SHORT = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

type Output = typeof process.stdout | typeof process.stderr;

/** Characters of one name in a line of text. */
const NAME_CHARACTERS = 200;

function escapeCharacter(character: string): string {
  return SHORT.get(character) ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A name, label or reason on one line: every control character escaped, at most `most` characters of it. */
export function inline(text: string, most = NAME_CHARACTERS): string {
  const cut = text.length > most ? `${text.slice(0, most).replace(/[\ud800-\udbff]$/, '')}...` : text;
  return cut.replace(UNSAFE, escapeCharacter);
}

/** Text of several lines: line feeds and tabs stay, other control characters are escaped. */
export function multiline(text: string): string {
  return text.replace(UNSAFE, (character, offset: number) => {
    const stays =
      character === '\n' || character === '\t' || (character === '\r' && text[offset + 1] === '\n');
    return stays ? character : escapeCharacter(character);
  });
}

/** JSON as `JSON.stringify` writes it, with the control characters that it leaves escaped: the same document. */
export function jsonText(value: unknown): string {
  // A line feed can only be one of the layout here.
  return JSON.stringify(value, null, 2).replace(UNSAFE, (character) =>
    character === '\n' ? character : escapeCharacter(character),
  );
}

/** Prints lines of a result on standard output. `colours`: they hold colours of ours, which stay. */
export function print(text: string, { colours = false } = {}): void {
  send(process.stdout, `${colours ? withColours(text) : multiline(text)}\n`);
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
  send(process.stdout, `${jsonText(value)}\n`);
}

/** Prints text as it comes, without a line end. */
export function stream(text: string): void {
  send(process.stdout, multiline(text));
}

/** Prints a line of what a person should know, and which is no result, on standard error. */
export function note(text: string): void {
  send(process.stderr, `${multiline(text)}\n`);
}

/** Says where a result went, and what computed it; on standard error where the result itself is on standard output. */
export function printWritten(path: string, backend: string): void {
  const line = `written to ${inline(path, 4096)} (${backend})`;
  if (isDescriptor(path)) note(line);
  else print(line);
}

/** Whether a bar that moves the cursor may be shown. */
export function showsProgress(output: Output = process.stderr): boolean {
  return Boolean(output.isTTY) && process.env.TERM !== 'dumb';
}

/** Whether colours are shown: FORCE_COLOR decides as in Node, then NO_COLOR, then whether it is a terminal that has them. */
export function showsColours(output: Output = process.stdout): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = process.env;
  if (FORCE_COLOR !== undefined) return !['0', 'false'].includes(FORCE_COLOR);
  return !NO_COLOR && TERM !== 'dumb' && Boolean(output.isTTY);
}

/**
 * For the whole process: console messages, also those of libraries, are escaped; a pipe that nobody reads any more
 * (`| head`) ends the process quietly with status 0, any other failure of standard output with a line and status 1.
 */
export function guardOutput(): void {
  const text = (values: unknown[]) => formatWithOptions({ colors: false }, ...values);
  for (const method of ['log', 'info', 'debug'] as const)
    console[method] = (...values) => print(text(values));
  for (const method of ['warn', 'error'] as const) console[method] = (...values) => note(text(values));
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
export function send(output: Output, text: string): void {
  if (!isPlain(output)) {
    output.write(text);
    return;
  }
  try {
    writeAll(output.fd, Buffer.from(text));
  } catch (error) {
    if (output.fd === process.stdout.fd) throw new Error(cannotPrint(error as Error));
    process.exitCode ||= 1; // there is nowhere left to say why
  }
}

function cannotPrint(error: Error): string {
  return `cannot write to standard output: ${reasonOf(error)}`;
}

/**
 * Files and devices such as /dev/full. Node's own stream takes a part that was written for all of it, so that a disk
 * that fills up goes unnoticed.
 */
function isPlain({ fd, isTTY }: Output): boolean {
  if (isTTY) return false;
  try {
    const status = fstatSync(fd);
    return status.isFile() || status.isCharacterDevice();
  } catch {
    return false;
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}
