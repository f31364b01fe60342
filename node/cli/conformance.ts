/** `grootvl conformance`: runs the same cases on every backend and prints verdicts. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CaseResult, CaseSource, Report } from '../../conformance/index.js';
import { DEFAULT_TARGETS, parseTarget, TARGETS, type Target } from '../../conformance/runners/targets.js';
import { DEFAULT_SEED } from '../../conformance/seed.js';
import { writeFileAtomically } from '../atomic_file.js';
import { FAILED, Failure, pathOf, textLike } from './failure.js';
import { withStageBars } from './progress.js';
import { inline, jsonText, note, print, showsColours } from './terminal.js';

const reportName = textLike(/\.(json|html?)$/i, 'a name that ends in .json or .html');

interface Options {
  backends: Target[];
  cases?: string;
  report?: string;
  seed: number;
  generated: boolean;
  only?: string;
  require?: true | string[];
  json?: boolean;
}

export function addConformance(command: Command): void {
  command
    .addOption(
      new Option('--backends <names>', `targets to run on: ${TARGETS.join(', ')}`)
        .argParser(parseTargets)
        .default(parseTargets(DEFAULT_TARGETS.join(',')), DEFAULT_TARGETS.join(',')),
    )
    .option('--cases <dir>', 'folder of case files (default: those of the suite)', pathOf)
    .option('--report <file>', 'write the report to a .json or .html file', reportName)
    .option('--seed <integer>', 'seed of the generated cases', parseSeed, DEFAULT_SEED)
    .option('--no-generated', 'run case files only')
    .option(
      '--only <expression>',
      'run only cases whose `op: name` matches this regular expression, such as training',
      parseExpression,
    )
    .option(
      '--require [names]',
      'treat skipped cases as failures: on all targets, or on these backends',
      parseNames,
    )
    .option('--json', 'print the report as JSON')
    .action(async (options: Options) => {
      // Imported here, so that other commands do not load the suite.
      const { htmlReport, onlyMatching, terminalReport, toJson } = await import('../../conformance/index.js');
      const { runOnTargets } = await import('../../conformance/node.js');
      // The suite writes non-finite values as strings.
      const json = (report: Report) => jsonText(JSON.parse(toJson(report)));
      const source = await casesOf(options.cases, options.generated);
      const report = await withStageBars('{stage} {bar} {value} of {total}  {op}', (update) =>
        runOnTargets({
          targets: options.backends,
          source,
          seed: options.seed,
          generated: options.generated,
          sampling: options.only === undefined ? [] : onlyMatching(options.only),
          require: options.require,
          onProgress: ({ backend, done, total, result }) =>
            update(backend, done, total, { op: inline(result.op) }),
        }),
      );
      if (report.cases.length === 0 && options.only !== undefined) {
        throw new Error(`no case matches ${options.only}; expected a part of an op's or a case's name`);
      }
      if (options.report) {
        const text = /\.html?$/i.test(options.report) ? htmlReport(printable(report)) : json(report);
        await writeFileAtomically(options.report, new TextEncoder().encode(text));
      }
      const colours = showsColours();
      if (options.json) print(json(report));
      else print(terminalReport(printable(report), colours), { colours });
      if (report.summary.fail > 0) throw new Failure(FAILED);
    });
}

/** A report without control characters in its strings, which may come from case files. */
function printable(report: Report): Report {
  const cases = report.cases.map(
    (result): CaseResult => ({
      ...result,
      case: inline(result.case),
      op: inline(result.op),
      device: inline(result.device),
      reason: inline(result.reason, 1000),
    }),
  );
  return { ...report, cases };
}

/** Message for an installed package, which does not include the files of the repository. */
const NO_FIXTURES =
  'the case files that PyTorch made are in the repository, not in the npm package; ' +
  'git clone https://github.com/tfjs-grootvl/tfjs-grootvl, then --cases tfjs-grootvl/fixtures';

/** A folder given by the user must exist; the default one is not part of every installation. */
async function casesOf(folder: string | undefined, generated: boolean): Promise<CaseSource> {
  const { isCasePath, memorySource } = await import('../../conformance/index.js');
  const { directorySource } = await import('../../conformance/node.js');
  if (folder !== undefined) {
    const source = directorySource(folder);
    if ((await source.list()).some(isCasePath)) return source;
    throw new Error(`"${folder}" holds no case files; expected .safetensors files laid out as in fixtures/`);
  }
  const folders = ['../../fixtures', '../../../fixtures'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = folders.find((path) => existsSync(path));
  if (found) return directorySource(found);
  if (!generated) throw new Error(`there are no cases: ${NO_FIXTURES}`);
  note(`only generated cases are run: ${NO_FIXTURES}`);
  return memorySource(new Map());
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
  if (found.length === 0) throw new InvalidArgumentError('expected at least one name.');
  return found;
}

function parseExpression(text: string): string {
  try {
    new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError(`expected a regular expression: ${(error as Error).message}.`);
  }
  return text;
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(seed))
    throw new InvalidArgumentError('expected an integer.');
  return seed;
}
