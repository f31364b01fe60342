/** The built command line, run as a user runs it: in a process of its own. */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAIN = join(ROOT, 'dist', 'node', 'cli', 'main.js');

/** Prints the peak of the process's memory at its end. */
const METER =
  'data:text/javascript,process.on("exit",()=>console.error("peak",process.resourceUsage().maxRSS))';

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Peak resident memory, MB. */
  readonly peak: number;
}

export interface RunOptions {
  /** What comes on standard input; nothing by default. */
  readonly input?: string | Uint8Array;
  /** Set in the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export function grootvl(...args: string[]): Promise<Outcome> {
  return grootvlWith({}, ...args);
}

export function grootvlWith(options: RunOptions, ...args: string[]): Promise<Outcome> {
  return outcome(process.execPath, ['--import', METER, MAIN, ...args], options);
}

/** A script of bash in which `grootvl` is the command line. */
export function shell(script: string, options: RunOptions = {}): Promise<Outcome> {
  const command = `grootvl() { "${process.execPath}" "${MAIN}" "$@"; }\n${script}`;
  return outcome('bash', ['-c', command], options);
}

/** The command line where of tfjs only these packages are installed. `folder` is made for the installation. */
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

function outcome(program: string, args: string[], { input = '', env, cwd }: RunOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { maxBuffer: 1e8, env: { ...process.env, ...env }, cwd };
    const child = execFile(program, args, options, (error, stdout, text) => {
      const peak = Number(/peak (\d+)\n/.exec(text)?.[1]) / 1000;
      const stderr = text.replace(/peak \d+\n/, '');
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr, peak });
    });
    child.stdin?.on('error', () => {}); // a program need not read it
    child.stdin?.end(input);
  });
}
