/** `grootvl score`: the log probability of a continuation after a context. */
import type { Command } from 'commander';
import type { GrootL, Score } from '../../plugin/index.js';
import { type CliBackend, type StartedBackend, startBackend, withBackend } from './backend.js';
import { textOf, withModel } from './inputs.js';
import { ATTACHED, loadLanguageModel } from './language_model.js';
import { jsonText, print, printJson } from './terminal.js';

interface Options {
  context: string;
  continuation: string;
  lora?: string;
  json?: boolean;
  backend: CliBackend;
}

export function addScore(command: Command): void {
  command
    .requiredOption('--context <text>', 'what is given; - reads standard input')
    .requiredOption('--continuation <text>', 'what is scored')
    .addOption(ATTACHED)
    .option('--json', 'print one JSON document');
  withBackend(command).action(async (dir: string, options: Options) => {
    const context = await textOf(options.context);
    const backend = await startBackend(options.backend);
    await withModel(loadLanguageModel(dir, options.lora), async (model) => {
      const score = await model.score(context, options.continuation);
      if (options.json) printJson({ ...score, backend });
      else print(describe(score, model, backend));
    });
  });
}

function describe(
  { logprob, isGreedy, tokens }: Score,
  { tokenizer }: GrootL,
  backend: StartedBackend,
): string {
  const rows = tokens.map(
    (token) =>
      `  ${token.logprob.toFixed(4).padStart(10)}  ${jsonText(tokenizer?.decode([token.id]) ?? null)}`,
  );
  const greedy = isGreedy ? 'what the model would write' : 'not what the model would write';
  return [`log-probability ${logprob.toFixed(4)}, ${greedy} (${backend})`, ...rows].join('\n');
}
