/** `grootvl bench`: measures ops against plain JavaScript, native code and built-in ops in one run. */
import { type Command, Option } from 'commander';
import { PART_NAMES, type Part } from '../../bench/parts.js';
import { type BackendOn, backendsOn } from '../../plugin/backends.js';
import { writeFileAtomically } from '../atomic_file.js';
import { startBackend } from './backend.js';
import { pathOf } from './failure.js';
import { note, print, printJson, showsProgress } from './terminal.js';

/** All backends of Node except the reference; gpu/webgl/testing/bench.ts measures those of pages. */
const BENCHED = backendsOn('node').filter((name) => name !== 'cpu');

interface Options {
  backends: BackendOn<'node'> | 'auto';
  only?: Part[];
  out?: string;
  json?: boolean;
}

export function addBench(command: Command): void {
  command
    .addOption(
      new Option('--backends <name>', 'backend to measure; auto: the fastest available one')
        .choices(['auto', ...BENCHED])
        .default('auto'),
    )
    .addOption(
      new Option(
        '--only <parts...>',
        'with wasm: run only these parts, such as language (default: all except images)',
      ).choices(PART_NAMES),
    )
    .option('--out <file>', 'write the JSON document to a file as well', pathOf)
    .option('--json', 'print one JSON document')
    .action(async ({ backends, only, out, json }: Options) => {
      const backend = await startBackend(backends);
      const progress = (what: string) => {
        if (showsProgress()) note(`${backend}: ${what}`);
      };
      const onDevice = { cuda: onCuda, webgpu: onWebgpu }[backend as string];
      const { report, text } = await (onDevice?.(progress) ?? onHost(progress, only));
      const document = JSON.stringify(report, null, 2);
      if (out) await writeFileAtomically(out, new TextEncoder().encode(`${document}\n`));
      if (json) printJson(report);
      else print(text);
    });
}

async function onHost(
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

async function onWebgpu(progress: (what: string) => void): Promise<{ report: object; text: string }> {
  const { benchWebgpu, formatWebgpuBench } = await import('../../bench/webgpu.js');
  const { adapterDescription, startWebgpu } = await import('../../gpu/webgpu/index.js');
  const { DAWN_OPTIONS } = await import('../../conformance/runners/software_vulkan.js');
  // Without these options SwiftShader compiles for minutes.
  if (adapterDescription().isFallback) await startWebgpu({ dawn: DAWN_OPTIONS });
  const report = await benchWebgpu(progress);
  return { report, text: formatWebgpuBench(report) };
}
