/** The tasks of `queue add`: those of the commands over images, with their options. */
import { type Command, Option } from 'commander';
import type { ModelRole } from '../evaluation/model_description.js';
import type { RunSpec } from '../queue/run.js';
import { BAD_USAGE, Failure, fraction } from './failure.js';
import { classCount } from './image_options.js';

export const TASKS = ['classify', 'segment', 'detect'] as const;
type TaskName = (typeof TASKS)[number];

export interface TaskFlags {
  readonly task: TaskName;
  readonly top?: number;
  readonly mode?: 'whole' | 'slide';
  readonly threshold?: number;
}

/** The model family of each task. */
export const MODEL_OF = {
  classify: 'classifier',
  segment: 'segmenter',
  detect: 'detector',
} as const satisfies Record<TaskName, ModelRole>;

/** The option of each task, and its default. */
const OPTIONS = {
  classify: { name: 'top', standard: 5 },
  segment: { name: 'mode', standard: undefined },
  detect: { name: 'threshold', standard: 0.3 },
} as const;

export function withTaskOptions(command: Command): Command {
  return command
    .option('--top <n>', 'classify: number of classes to list (default: 5)', classCount)
    .addOption(
      new Option('--mode <mode>', 'segment: predict the whole image, or sliding windows').choices([
        'whole',
        'slide',
      ]),
    )
    .option('--threshold <score>', 'detect: minimum score of an object, 0 to 1 (default: 0.3)', fraction);
}

/** @throws {Failure} bad usage, if an option of another task is given */
export function taskOf(flags: TaskFlags): RunSpec['task'] {
  const { name, standard } = OPTIONS[flags.task];
  for (const [task, other] of Object.entries(OPTIONS)) {
    if (other.name === name || flags[other.name] === undefined) continue;
    throw new Failure(BAD_USAGE, `--${other.name} is an option of ${task}, the task is ${flags.task}`);
  }
  return { kind: flags.task, options: { [name]: flags[name] ?? standard } };
}
