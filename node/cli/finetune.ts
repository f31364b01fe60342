/** `grootvl finetune`: trains a language model on the answers of an instruction dataset, in full or as a LoRA adapter. */
import { existsSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { GrootL } from '../../plugin/index.js';
import type {
  FineTuneStep,
  LanguageLearner,
  TextExample,
  TrainingState,
} from '../../plugin/training/index.js';
import { type AtomicDirectory, openAtomicDirectory, writeFolderAtomically } from '../atomic_directory.js';
import { writeFileAtomically } from '../atomic_file.js';
import { readSmallFile } from '../file_source.js';
import type { TrainingRun } from '../training_run.js';
import { type CliBackend, registerGradients, startBackend, withBackend } from './backend.js';
import { checkSame, recordedOptions, recordOf } from './continued_run.js';
import { Failure, integerFrom, numberAbove, oneLine, PARTLY_FAILED, pathOf } from './failure.js';
import { withModel } from './inputs.js';
import { Interruption } from './interruption.js';
import { loadLanguageModel } from './language_model.js';
import { duration, progressBar } from './progress.js';
import { inline, note, print } from './terminal.js';

/** Close to the maximum length of a JavaScript string. */
const MAX_DATA_BYTES = 2 ** 29;
const ADAPTER_FILES = ['adapter_config.json', 'adapter_model.safetensors', 'adapter_model.bin'];

interface Options {
  out: string;
  lora?: number;
  full?: boolean;
  alpha?: number;
  targets?: string[];
  dropout: number;
  epochs: number;
  steps?: number;
  batch: number;
  learningRate?: number;
  maxLength: number;
  seed: number;
  saveEvery: number;
  resume?: boolean;
  force?: boolean;
  backend: CliBackend;
}

/** Options that may change when a run is resumed: none of them affects a weight. */
const FREE = new Set<keyof Options>(['out', 'saveEvery', 'resume', 'force', 'backend']);

export function addFinetune(command: Command): void {
  command
    .requiredOption('--out <path>', 'folder of the adapter; with --full a .safetensors file', pathOf)
    .option('--lora <rank>', 'rank of the adapter (default: 8)', integerFrom(1))
    .option('--full', 'train all parameters of the model instead of an adapter')
    .option('--alpha <a>', 'the adapter is scaled by alpha / rank (default: twice the rank)', numberAbove(0))
    .option(
      '--targets <name,name>',
      'modules to adapt (default: in_proj,x_proj,out_proj,embeddings)',
      (text) => text.split(','),
    )
    .option('--dropout <p>', 'dropout probability of the adapter', numberAbove(-1), 0)
    .option('--epochs <n>', 'number of epochs', numberAbove(0), 1)
    .option('--steps <n>', 'number of updates, instead of --epochs', integerFrom(1))
    .option('--batch <n>', 'texts per update', integerFrom(1), 16)
    .option('--learning-rate <r>', 'learning rate after 20 warm-up steps (default: 2e-5)', numberAbove(0))
    .option(
      '--max-length <n>',
      'maximum number of tokens per text; longer texts are truncated',
      integerFrom(2),
      2048,
    )
    .option('--seed <n>', 'seed of the initial values and the order of the texts', integerFrom(0), 0)
    .option('--save-every <steps>', 'save a state to resume from, in <out>.run', integerFrom(1), 100)
    .option('--resume', 'resume an interrupted run')
    .option('--force', 'replace the adapter in the folder');
  withBackend(command).action(async (path: string, data: string, given: Options) => {
    checkOptions(given);
    const isGiven = (name: string) => command.getOptionValueSource(name) === 'cli';
    const continued = await openRun(given);
    const options = continued ? recordedOptions(continued.record, given, isGiven, FREE) : given;
    const instructions = await readSmallFile(data, MAX_DATA_BYTES);
    await checkOut(options);
    const backend = await startBackend(options.backend);
    await registerGradients();
    await withModel(openModel(path), async (model) => {
      const { examples, bad } = await examplesOf(model, instructions, data, options);
      if (examples.length === 0) throw new Error(`${data} has no row that can be learnt`);
      const record = recordOf(model, options, instructions);
      if (continued) checkSame(continued.record, record);
      // A folder beside the output, from the first state until the run is complete.
      let run = continued;
      const saveState = async (state: TrainingState) => {
        const { TrainingRun } = await import('../training_run.js');
        run ??= await TrainingRun.create(runFolder(options), record);
        await run.saveState(state);
      };
      const learner = await learnerOf(model, options);
      try {
        const { summary, isDone } = await learn(
          learner,
          examples,
          options,
          await continued?.newestState(),
          saveState,
        );
        await save(learner, path, options);
        if (isDone) await rm(runFolder(options), { recursive: true, force: true });
        print(`${summary} (${backend})\nwritten to ${inline(options.out, 4096)}`);
      } finally {
        learner.dispose();
      }
      if (bad > 0) throw new Failure(PARTLY_FAILED);
    });
  });
}

function checkOptions({ full, lora, alpha, targets }: Options): void {
  const given = Object.entries({ lora, alpha, targets }).find(([, value]) => value !== undefined);
  if (full && given) throw new Error(`--${given[0]} is for adapters, --full trains all parameters`);
}

/** Reports an output that cannot be written before hours of training. */
async function checkOut(options: Options): Promise<void> {
  if (options.full) return;
  const directory = await openAtomicDirectory(options.out, replacing(options));
  await directory.abort();
}

/** Options for replacing the adapter left by an interrupted run. */
function replacing({ force, resume }: Options): { readonly replace?: readonly string[] } {
  return force || resume ? { replace: ADAPTER_FILES } : {};
}

function runFolder({ out }: Pick<Options, 'out'>): string {
  return `${out.replace(/[\\/]+$/, '')}.run`;
}

/** The run to continue; undefined for a new one. @throws {Error} if there is a run but it should not be continued */
async function openRun({ out, resume, force }: Options): Promise<TrainingRun | undefined> {
  const folder = runFolder({ out });
  if (resume) return (await import('../training_run.js')).TrainingRun.open(folder);
  if (force) await rm(folder, { recursive: true, force: true });
  else if (await stat(folder).catch(() => undefined)) {
    throw new Error(`${folder}: a training was interrupted; --resume continues it, --force begins anew`);
  }
  return undefined;
}

/** A converted model, or a HuggingFace folder, which is converted in memory. */
async function openModel(path: string): Promise<GrootL> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  if (!isFolder || existsSync(join(path, 'model.json'))) return loadLanguageModel(path);
  const { convertCheckpoint, MemorySink } = await import('../../converters/index.js');
  const { GrootL } = await import('../../plugin/index.js');
  const { sourceDirectory } = await import('../source_directory.js');
  const directory = await sourceDirectory(path);
  try {
    const sink = new MemorySink();
    await convertCheckpoint(directory, sink);
    return await GrootL.load(sink);
  } finally {
    await directory.close();
  }
}

/** The examples in a file; a line is printed for each invalid row. */
async function examplesOf(
  { tokenizer, metadata }: GrootL,
  text: string,
  file: string,
  { maxLength }: Options,
): Promise<{ examples: TextExample[]; bad: number }> {
  if (!tokenizer) throw new Error('the model has no tokenizer (no tokenizer.json), which instructions need');
  const { encodeInstruction, parseInstructions } = await import('../../plugin/training/index.js');
  const { rows, bad } = parseInstructions(text);
  const problems = bad.map(({ row, reason }) => ({ row, reason }));
  const examples: TextExample[] = [];
  for (const { row, ...instruction } of rows) {
    try {
      const { endOfText } = metadata.tokens;
      examples.push(encodeInstruction(tokenizer, instruction, { endOfText, maxLength }));
    } catch (error) {
      problems.push({ row, reason: oneLine(error) });
    }
  }
  problems.sort((a, b) => a.row - b.row);
  for (const { row, reason } of problems)
    note(`grootvl: ${inline(file, 4096)} row ${row}: ${inline(reason, 400)}`);
  return { examples, bad: problems.length };
}

async function learnerOf(model: GrootL, options: Options): Promise<LanguageLearner> {
  const { addLora, trainable } = await import('../../plugin/training/index.js');
  const { full, lora: rank, alpha, targets, dropout, seed } = options;
  return full ? trainable(model, { seed }) : addLora(model, { rank, alpha, targets, dropout, seed });
}

/** Trains until all steps are done or a signal arrives. @returns a one-line summary, and whether training is complete */
async function learn(
  learner: LanguageLearner,
  examples: readonly TextExample[],
  { epochs, steps: given, batch: most, learningRate, seed, saveEvery }: Options,
  resume: TrainingState | undefined,
  saveState: (state: TrainingState) => Promise<void>,
): Promise<{ summary: string; isDone: boolean }> {
  const { fineTune } = await import('../../plugin/training/index.js');
  const batch = Math.min(most, examples.length);
  const steps = given ?? Math.max(1, Math.ceil((epochs * examples.length) / batch));
  const bar = await progressBar('{bar} step {value} of {total}, loss {loss}, rate {rate}, {left} left');
  const interruption = new Interruption();
  const losses: number[] = [];
  let done = resume?.progress.step ?? 0;
  bar?.start(steps, done, { loss: '-', rate: '-', left: '-' });
  const onStep = ({ step, loss, learningRate: rate, remainingSeconds }: FineTuneStep) => {
    losses.push(loss);
    done = step;
    bar?.update(step, {
      loss: loss.toFixed(4),
      rate: rate.toExponential(1),
      left: duration(remainingSeconds),
    });
  };
  try {
    await fineTune(
      learner,
      examples,
      { steps, batch, learningRate, seed },
      {
        onStep,
        resume,
        saveEvery,
        save: (state) => interruption.finish(() => saveState(state)),
        signal: interruption.signal,
      },
    );
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
  } finally {
    bar?.stop();
    interruption.dispose();
  }
  const isDone = done >= steps;
  const ended = isDone ? `${steps} steps` : `interrupted after ${done} of ${steps} steps`;
  const [first, last] = [losses.at(0), losses.at(-1)];
  const loss =
    first === undefined || last === undefined ? '' : `, loss ${first.toFixed(4)} to ${last.toFixed(4)}`;
  return { summary: `${examples.length} texts, ${ended}${loss}`, isDone };
}

async function save(learner: LanguageLearner, base: string, options: Options): Promise<void> {
  if (!('files' in learner)) {
    const { exportCheckpoint } = await import('../../plugin/training/index.js');
    await writeFileAtomically(options.out, await exportCheckpoint(learner));
    return;
  }
  const write = async (folder: AtomicDirectory) => {
    for (const [name, bytes] of Object.entries(await learner.files(base))) await folder.write(name, bytes);
  };
  await writeFolderAtomically(options.out, write, replacing(options));
}
