/** `grootvl score`: how likely a continuation is after a context. */
import type { Command } from 'commander';
import { GrootL, type Score } from '../../plugin/index.js';
import { fileSystem } from '../file_system.js';
import { type CliBackend, startBackend, withBackend } from './backend.js';

interface Options {
  context: string;
  continuation: string;
  json?: boolean;
  backend: CliBackend;
}

export function addScore(program: Command): void {
  const command = program
    .command('score <model-dir>')
    .description('log-probability of a continuation after a context, as the evaluation harness takes it')
    .requiredOption('--context <text>', 'what is given')
    .requiredOption('--continuation <text>', 'what is scored')
    .option('--json', 'print one JSON document');
  withBackend(command).action(async (dir: string, options: Options) => {
    await startBackend(options.backend);
    const model = await GrootL.load(fileSystem(dir, { streamWeights: true }));
    const score = await model.score(options.context, options.continuation);
    if (options.json) console.log(JSON.stringify(score, null, 2));
    else console.log(describe(score, model));
    model.dispose();
  });
}

function describe({ logprob, isGreedy, tokens }: Score, { tokenizer }: GrootL): string {
  const rows = tokens.map(
    (token) => `  ${token.logprob.toFixed(4).padStart(10)}  ${JSON.stringify(tokenizer?.decode([token.id]))}`,
  );
  const greedy = isGreedy ? 'what the model would write' : 'not what the model would write';
  return [`log-probability ${logprob.toFixed(4)}, ${greedy}`, ...rows].join('\n');
}
