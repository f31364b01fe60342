/** `grootvl classify`: what is in a picture. */
import type { Command } from 'commander';
import { withBackend } from './backend.js';
import { integerFrom } from './failure.js';
import { type PictureFlags, runPictureCommand, withPictureOptions } from './picture_command.js';

interface Flags extends PictureFlags {
  readonly top: number;
}

export function addClassify(command: Command): void {
  command.option('--top <n>', 'classes to list', integerFrom(1), 5);
  withBackend(withPictureOptions(command)).action((model: string, files: string[], flags: Flags) =>
    runPictureCommand(
      { kind: 'classify', model, backend: flags.backend, options: { top: flags.top } },
      files,
      flags,
    ),
  );
}
