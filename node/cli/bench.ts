/** `grootvl bench`: how fast the ops are, against plain JavaScript, native code and stock ops, in one run. */
import { getBackend } from '@tensorflow/tfjs-core';
import { type Command, Option } from 'commander';
import { formatReport, runBench } from '../../bench/index.js';
import { type CliBackend, startBackend } from './backend.js';

/** The benchmark measures kernels in tfjs's WASM memory; others join as they come. */
const BENCHED = ['wasm'] as const;

export function addBench(program: Command): void {
  program
    .command('bench')
    .description('time every op and a whole prediction, as ratios within one run')
    .addOption(new Option('--backends <name>', 'what to measure').choices(BENCHED).default('wasm'))
    .option('--json', 'print one JSON document')
    .action(async ({ backends, json }: { backends: CliBackend; json?: boolean }) => {
      await startBackend(backends);
      const report = await runBench((what) => {
        if (process.stderr.isTTY) console.error(`${getBackend()}: ${what}`);
      });
      console.log(json ? JSON.stringify(report, null, 2) : formatReport(report));
    });
}
