/** The option `--backend`, which selects where a command's model runs. */
import { type Command, Option } from 'commander';
import { backendsOn } from '../../plugin/backends.js';
import {
  type CliBackend,
  registerGradients,
  type StartedBackend,
  startBackend as start,
} from '../backend.js';
import { note } from './terminal.js';

export { type CliBackend, registerGradients, type StartedBackend };

const CLI_BACKENDS: readonly CliBackend[] = ['auto', ...backendsOn('node')];

/** Adds `--backend` to a command. */
export function withBackend(command: Command): Command {
  return command.addOption(
    new Option('--backend <name>', 'backend that runs the model; auto: the fastest available one')
      .choices(CLI_BACKENDS)
      .default('auto'),
  );
}

/** Starts a backend, or the fastest available one for `auto`, and prints warnings for the user. */
export function startBackend(name: CliBackend): Promise<StartedBackend> {
  return start(name, warn);
}

/** Prints a warning. */
export function warn(line: string): void {
  note(`grootvl: ${line}`);
}
