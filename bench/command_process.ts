/** Runs the command line in separate processes, and measures time and memory. */
import { spawn } from 'node:child_process';

/** Writes the maximum resident set size of the process to its standard error when it ends. */
const METER =
  'data:text/javascript,import{isMainThread}from"node:worker_threads";import{writeSync}from"node:fs";' +
  'if(isMainThread)process.on("exit",()=>writeSync(2,"\\npeak "+process.resourceUsage().maxRSS+"\\n"))';

/** Time and memory of a command. */
export interface CommandRun {
  /** From the start of the process to its end, in milliseconds. */
  readonly ms: number;
  /** Maximum resident set size, including Node and all threads. */
  readonly peakBytes: number;
}

/**
 * Runs the command line with these arguments and discards its output.
 * @param program the file that runs it
 * @throws {Error} with its standard error, if it fails
 */
export async function runCommand(program: string, ...args: readonly string[]): Promise<CommandRun> {
  const start = performance.now();
  const child = spawn(process.execPath, ['--import', METER, program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  const [, peak] = /\npeak (\d+)\n/.exec(said) ?? [];
  if (status !== 0 || peak === undefined) {
    throw new Error(`grootvl ${args.join(' ')} ended with ${status}: ${said.trim()}`);
  }
  return { ms: performance.now() - start, peakBytes: 1024 * Number(peak) };
}
