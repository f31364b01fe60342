/** `grootvl generate`: a language model continues a text. */
import { type Command, InvalidArgumentError } from 'commander';
import { type Generation, GrootL } from '../../plugin/index.js';
import { fileSystem } from '../file_system.js';
import { type CliBackend, startBackend, withBackend } from './backend.js';
import { integerFrom } from './failure.js';

interface Options {
  prompt: string;
  maxTokens: number;
  temperature: number;
  topK?: number;
  topP?: number;
  seed?: number;
  stop?: string[];
  json?: boolean;
  backend: CliBackend;
}

export function addGenerate(program: Command): void {
  const command = program
    .command('generate <model-dir>')
    .description('continue a text with a language model, as it comes')
    .requiredOption('--prompt <text>', 'what to continue')
    .option('--max-tokens <n>', 'tokens at most', integerFrom(1), 40)
    .option('--temperature <t>', '0: always the most probable token', numberFrom(0), 0)
    .option('--top-k <k>', 'only the k most probable tokens', integerFrom(1))
    .option('--top-p <p>', 'only the most probable tokens that together reach p', numberFrom(0))
    .option('--seed <n>', 'of the random numbers', integerFrom(0))
    .option('--stop <text...>', 'stop before one of these texts')
    .option('--json', 'print one JSON document');
  withBackend(command).action(async (dir: string, { prompt, json, backend, ...options }: Options) => {
    await startBackend(backend);
    const model = await GrootL.load(fileSystem(dir, { streamWeights: true }));
    let isClosed = false;
    process.stdout.on('error', () => {
      isClosed = true; // whoever read the text has read enough
    });
    const stream = model.stream(prompt, options);
    let next = await stream.next();
    if (!json) process.stdout.write(prompt); // not before something can follow it
    while (!next.done && !isClosed) {
      const { id, text } = next.value;
      if (!json && id !== model.metadata.tokens.endOfText) process.stdout.write(text);
      next = await stream.next();
    }
    model.dispose();
    if (isClosed) return;
    if (!json) process.stdout.write('\n');
    else if (next.done) console.log(JSON.stringify(document(prompt, next.value), null, 2));
  });
}

function document(prompt: string, { promptTokens: _, prefillMs, msPerToken, ...generation }: Generation) {
  const rounded = (ms: number) => Math.round(ms * 100) / 100;
  return {
    prompt,
    ...generation,
    prefillMs: rounded(prefillMs),
    msPerToken: rounded(msPerToken),
  };
}

/** Parses a number of at least `least`. */
function numberFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < least) {
      throw new InvalidArgumentError(`wanted a number of at least ${least}.`);
    }
    return value;
  };
}
