/** The built command line, run as a user runs it: in a process of its own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../dist/node/cli/main.js', import.meta.url));

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

export function grootvl(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const command = ['--import', METER, MAIN, ...args];
    execFile(process.execPath, command, { maxBuffer: 1e8 }, (error, stdout, text) => {
      const peak = Number(/peak (\d+)\n/.exec(text)?.[1]) / 1000;
      const stderr = text.replace(/peak \d+\n/, '');
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr, peak });
    });
  });
}
