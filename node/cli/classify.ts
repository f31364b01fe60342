/** `grootvl classify`: the most probable classes of images. */
import type { Command } from 'commander';
import { withBackend } from './backend.js';
import { outputOf } from './failure.js';
import { runImageCommand } from './image_command.js';
import { classCount, type ImageFlags, withImageOptions } from './image_options.js';

interface Flags extends ImageFlags {
  readonly top: number;
  /** Alias of `--rows`. */
  readonly out?: string;
}

export function addClassify(command: Command): void {
  command
    .option('--top <n>', 'number of classes to list', classCount, 5)
    .option('--out <file>', 'same as --rows', outputOf);
  withBackend(withImageOptions(command)).action((model: string, files: string[], flags: Flags) => {
    const { top, out, backend } = flags;
    const spec = { kind: 'classify', model, backend, options: { top } };
    return runImageCommand(spec, files, { ...flags, rows: flags.rows ?? out });
  });
}
