/** `grootvl generate`: a language model continues a text. */
import type { Command } from 'commander';
import type { Generation } from '../../plugin/index.js';
import { type CliBackend, startBackend, withBackend } from './backend.js';
import { integerFrom, numberFrom } from './failure.js';
import { textOf, withModel } from './inputs.js';
import { ATTACHED, loadLanguageModel } from './language_model.js';
import { note, printJson, showsProgress, stream } from './terminal.js';

interface Options {
  prompt: string;
  maxTokens: number;
  temperature: number;
  topK?: number;
  topP?: number;
  seed?: number;
  stop?: string[];
  lora?: string;
  json?: boolean;
  backend: CliBackend;
}

export function addGenerate(command: Command): void {
  command
    .requiredOption('--prompt <text>', 'what to continue; - reads standard input')
    .option('--max-tokens <n>', 'maximum number of tokens', integerFrom(1), 40)
    .option('--temperature <t>', 'sampling temperature; 0: always the most probable token', numberFrom(0), 0)
    .option('--top-k <k>', 'sample only from the k most probable tokens', integerFrom(1))
    .option(
      '--top-p <p>',
      'sample only from the most probable tokens whose total probability reaches p',
      numberFrom(0),
    )
    .option('--seed <n>', 'seed of the random numbers', integerFrom(0))
    .option('--stop <text...>', 'stop before one of these texts')
    .addOption(ATTACHED)
    .option('--json', 'print one JSON document');
  withBackend(command).action(async (dir: string, { json, backend, lora, ...options }: Options) => {
    const prompt = await textOf(options.prompt);
    const started = await startBackend(backend);
    if (!json && showsProgress()) note(`backend ${started}`);
    await withModel(loadLanguageModel(dir, lora), async (model) => {
      const tokens = model.stream(prompt, options);
      let next = await tokens.next();
      if (!json) stream(prompt); // not before the continuation can follow
      while (!next.done) {
        const { id, text } = next.value;
        if (!json && id !== model.metadata.tokens.endOfText) stream(text);
        next = await tokens.next();
      }
      if (json) printJson(document(prompt, next.value));
      else stream('\n');
    });
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
