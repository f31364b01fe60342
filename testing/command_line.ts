/**
 * Runs the command line in tests: in the test's own process, which loads tfjs once, or, to test the process itself, the built
 * program in a separate process, as a user runs it.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { engine } from '@tensorflow/tfjs-core';
import { main } from '../node/cli/program.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CLI = join(ROOT, 'dist', 'node', 'cli');
const MAIN = join(CLI, 'main.js');

/** Prints the peak memory of the process at its end. */
const METER =
  'data:text/javascript,process.on("exit",()=>console.error("peak",process.resourceUsage().maxRSS))';

/** Runs the built program for each list of arguments; its output contains no other NUL characters. */
const RUNS = `
import { main } from ${JSON.stringify(pathToFileURL(join(CLI, 'program.js')))};
for (const argv of JSON.parse(process.argv[1])) {
  const status = await main(argv);
  process.stdout.write('\\0');
  process.stderr.write(status + '\\0');
}`;

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Outcome of a process. */
export interface ProcessOutcome extends Outcome {
  /** Peak resident memory, MB. */
  readonly peak: number;
}

export interface RunOptions {
  /** Standard input; empty by default. */
  readonly input?: string | Uint8Array;
  /** Environment variables to set. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Options of a run in this process: input may arrive piece by piece. */
export interface OwnRunOptions extends Omit<RunOptions, 'input'> {
  readonly input?: RunOptions['input'] | AsyncIterable<Uint8Array>;
}

export interface ProcessOptions extends RunOptions {
  readonly cwd?: string;
  /** A module to import before the program. */
  readonly preload?: string;
}

/** Runs the command line in this process. */
export function grootvl(...args: string[]): Promise<Outcome> {
  return grootvlWith({}, ...args);
}

/**
 * Runs the command line in this process, one run at a time.
 * @throws {Error} if it leaks tensors
 */
export async function grootvlWith(
  { input = '', env = {} }: OwnRunOptions,
  ...args: string[]
): Promise<Outcome> {
  const texts = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof texts) =>
    new Writable({
      write(bytes, _, done) {
        texts[name] += bytes;
        done();
      },
    });
  const isWhole = typeof input === 'string' || input instanceof Uint8Array;
  const stdin = isWhole ? Readable.from(input.length > 0 ? [Buffer.from(input)] : []) : input;
  const kept = { ...process.env };
  const tensors = engine().state.numTensors;
  Object.assign(process.env, env);
  try {
    const status = await main(args, { stdin, stdout: sink('stdout'), stderr: sink('stderr') });
    const left = engine().state.numTensors - tensors;
    if (left !== 0) throw new Error(`grootvl ${args.join(' ')} leaves ${left} tensors behind`);
    return { status, ...texts };
  } finally {
    for (const name of Object.keys(env)) delete process.env[name];
    Object.assign(process.env, kept);
  }
}

/** Runs the built program in a separate process. */
export function grootvlProcess(options: ProcessOptions, ...args: string[]): Promise<ProcessOutcome> {
  const { preload = METER } = options;
  return outcome(process.execPath, ['--import', preload, MAIN, ...args], options);
}

/** The built program in a process that may be killed. */
export interface ChildOutcome {
  kill(signal: NodeJS.Signals): void;
  /** `status` is null if it was killed. */
  readonly ended: Promise<{
    readonly status: number | null;
    readonly stdout: string;
    readonly stderr: string;
  }>;
}

/** Starts the built program. */
export function grootvlChild({ env }: Pick<ProcessOptions, 'env'>, ...args: string[]): ChildOutcome {
  const { NODE_OPTIONS: _, ...own } = { ...process.env, ...env };
  const child = spawn(process.execPath, [MAIN, ...args], { env: own, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text) => {
      texts[name] += text;
    });
  }
  return {
    kill: (signal) => void child.kill(signal),
    ended: new Promise((resolve) => child.on('close', (status) => resolve({ status, ...texts }))),
  };
}

/** Runs the built command line for each list of arguments, all in one process, and measures its memory. */
export async function grootvlRuns(runs: string[][]): Promise<{ outcomes: Outcome[]; peak: number }> {
  const args = ['--import', METER, '--input-type=module', '-e', RUNS, JSON.stringify(runs)];
  const all = await outcome(process.execPath, args, {});
  const stdout = all.stdout.split('\0');
  const stderr = all.stderr.split('\0');
  const outcomes = runs.map((_, i) => {
    const [, text, status] = /^(.*?)(\d+)$/s.exec(stderr[i]) ?? [];
    return { status: Number(status), stdout: stdout[i], stderr: text };
  });
  return { outcomes, peak: all.peak };
}

/** Runs a bash script in which `grootvl` is the built program. */
export function shell(script: string, options: ProcessOptions = {}): Promise<Outcome> {
  const command = `grootvl() { "${process.execPath}" "${MAIN}" "$@"; }\n${script}`;
  return outcome('bash', ['-c', command], options);
}

/** Runs the built program with only these tfjs packages installed. `folder` is created for the installation. */
export function grootvlWithPackages(folder: string, packages: string[], ...args: string[]): Promise<Outcome> {
  const modules = join(ROOT, 'node_modules');
  mkdirSync(join(folder, 'node_modules', '@tensorflow'), { recursive: true });
  symlinkSync(join(ROOT, 'dist'), join(folder, 'dist'));
  const others = readdirSync(modules).filter((name) => !name.startsWith('.') && name !== '@tensorflow');
  for (const name of [...others, ...packages.map((name) => join('@tensorflow', name))]) {
    symlinkSync(join(modules, name), join(folder, 'node_modules', name));
  }
  const main = join(folder, 'dist', 'node', 'cli', 'main.js');
  return outcome(process.execPath, ['--preserve-symlinks', '--preserve-symlinks-main', main, ...args], {});
}

/** Without NODE_OPTIONS, through which tap makes every process load its modules, which takes as long as the program itself. */
function outcome(
  program: string,
  args: string[],
  { input = '', env, cwd }: ProcessOptions,
): Promise<ProcessOutcome> {
  return new Promise((resolve) => {
    const options = { maxBuffer: 1e8, env: { ...process.env, ...env }, cwd };
    const child = execFile(
      'env',
      ['-u', 'NODE_OPTIONS', program, ...args],
      options,
      (error, stdout, text) => {
        const peak = Number(/peak (\d+)\n/.exec(text)?.[1]) / 1000;
        const stderr = text.replace(/peak \d+\n/, '');
        resolve({ status: error ? Number(error.code) : 0, stdout, stderr, peak });
      },
    );
    child.stdin?.on('error', () => {}); // a program need not read it
    child.stdin?.end(input);
  });
}
