/** `grootvl conformance`: one body of cases on every backend, and verdicts. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SingleBar } from 'cli-progress';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_SEED } from '../../conformance/generated/seed.js';
import type { CaseSource, Progress } from '../../conformance/index.js';
import { DEFAULT_TARGETS, parseTarget, TARGETS, type Target } from '../../conformance/runners/targets.js';
import { writeFileAtomically } from '../atomic_file.js';
import { FAILED } from './failure.js';

interface Options {
  backends: Target[];
  cases?: string;
  report?: string;
  seed: number;
  generated: boolean;
  require?: true | string[];
  json?: boolean;
}

export function addConformance(program: Command): void {
  program
    .command('conformance')
    .description(
      'run the conformance suite on backends of this machine and say which compute what PyTorch did',
    )
    .addOption(
      new Option('--backends <names>', `where to run: ${TARGETS.join(', ')}`)
        .argParser(parseTargets)
        .default(parseTargets(DEFAULT_TARGETS.join(',')), DEFAULT_TARGETS.join(',')),
    )
    .option('--cases <dir>', 'folder of case files (default: those that come with the suite)')
    .option('--report <file>', 'write the report: .json, or .html for a page to look at', parseReport)
    .option('--seed <integer>', 'of the generated cases', parseSeed, DEFAULT_SEED)
    .option('--no-generated', 'run case files only')
    .option('--require [names]', 'what is skipped fails: on all targets, or on these backends', parseNames)
    .option('--json', 'print the report as JSON')
    .action(async (options: Options) => {
      // Imported here: the other commands need not wait for the suite.
      const { htmlReport, terminalReport, toJson } = await import('../../conformance/index.js');
      const { runOnTargets } = await import('../../conformance/node.js');
      const progress = new CaseProgress();
      const report = await runOnTargets({
        targets: options.backends,
        source: await casesOf(options.cases),
        seed: options.seed,
        generated: options.generated,
        require: options.require,
        onProgress: progress.update,
      });
      progress.stop();
      if (options.report) {
        const text = /\.html?$/i.test(options.report) ? htmlReport(report) : toJson(report);
        await writeFileAtomically(options.report, new TextEncoder().encode(text));
      }
      const colour = Boolean(process.stdout.isTTY) && !process.env.NO_COLOR;
      console.log(options.json ? toJson(report) : terminalReport(report, colour));
      if (report.summary.fail > 0) process.exitCode = FAILED;
    });
}

/** A folder that is given must be there; the default one is not part of every installation. */
async function casesOf(folder: string | undefined): Promise<CaseSource> {
  const { memorySource } = await import('../../conformance/index.js');
  const { directorySource } = await import('../../conformance/node.js');
  if (folder !== undefined) return directorySource(folder);
  const folders = ['../../fixtures', '../../../fixtures'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = folders.find((path) => existsSync(path));
  return found ? directorySource(found) : memorySource(new Map());
}

function parseTargets(names: string): Target[] {
  return parseNames(names).map((name) => {
    const target = parseTarget(name);
    if (!target)
      throw new InvalidArgumentError(`there is no backend ${name}; there are ${TARGETS.join(', ')}.`);
    return target;
  });
}

function parseNames(names: string): string[] {
  const found = [...new Set(names.split(',').filter((name) => name !== ''))];
  if (found.length === 0) throw new InvalidArgumentError('wanted at least one name.');
  return found;
}

function parseReport(path: string): string {
  if (!/\.(json|html?)$/i.test(path))
    throw new InvalidArgumentError('wanted a name that ends in .json or .html.');
  return path;
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(seed))
    throw new InvalidArgumentError('wanted an integer.');
  return seed;
}

/** A bar on a terminal, nothing in a pipe. */
class CaseProgress {
  private bar: SingleBar | undefined;
  private backend = '';

  readonly update = ({ backend, done, total, result }: Progress): void => {
    if (!process.stderr.isTTY) return;
    if (backend !== this.backend) {
      this.bar?.stop();
      this.bar = new SingleBar({
        format: '{backend} {bar} {value} of {total}  {op}',
        hideCursor: true,
        stream: process.stderr,
      });
      this.bar.start(total, 0, { backend, op: '' });
      this.backend = backend;
    }
    this.bar?.update(done, { op: result.op });
  };

  stop(): void {
    this.bar?.stop();
  }
}
