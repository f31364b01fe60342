/** `grootvl bench`: how fast the ops are, against plain JavaScript, native code and stock ops, in one run. */
import { getBackend } from '@tensorflow/tfjs-core';
import { type Command, Option } from 'commander';
import { PARTS, type Part } from '../../bench/parts.js';
import { startBackend } from './backend.js';

/** What can be measured here; WebGL is, in a page, by benchWebgl of tfjs-grootvl/webgl. */
const BENCHED = ['wasm', 'cuda'] as const;
type Benched = (typeof BENCHED)[number];

export function addBench(program: Command): void {
  program
    .command('bench')
    .description('time every op and a whole prediction, as ratios within one run')
    .addOption(new Option('--backends <name>', 'what to measure').choices(BENCHED).default('wasm'))
    .addOption(
      new Option('--only <parts...>', 'with wasm: nothing but these parts, such as language').choices(PARTS),
    )
    .option('--json', 'print one JSON document')
    .action(async ({ backends, only, json }: { backends: Benched; only?: Part[]; json?: boolean }) => {
      await startBackend(backends);
      const progress = (what: string) => {
        if (process.stderr.isTTY) console.error(`${getBackend()}: ${what}`);
      };
      const { report, text } = backends === 'cuda' ? await onCuda(progress) : await onWasm(progress, only);
      console.log(json ? JSON.stringify(report, null, 2) : text);
    });
}

async function onWasm(
  progress: (what: string) => void,
  parts?: readonly Part[],
): Promise<{ report: object; text: string }> {
  const { formatReport, runBench } = await import('../../bench/index.js');
  const report = await runBench(progress, parts);
  return { report, text: formatReport(report) };
}

async function onCuda(progress: (what: string) => void): Promise<{ report: object; text: string }> {
  const { benchCuda, formatCudaBench } = await import('../../bench/cuda.js');
  const report = await benchCuda(progress);
  return { report, text: formatCudaBench(report) };
}
