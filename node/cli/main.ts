#!/usr/bin/env node
/** Runs the command line. Exit status: 0 done, 1 it failed, 2 bad usage, 3 some of several inputs failed. */
import { CommanderError } from 'commander';
import { BAD_USAGE, FAILED, oneLine } from './failure.js';
import { grootvl } from './program.js';
import { guardOutput, note } from './terminal.js';

guardOutput();
const program = grootvl();
for (const command of [program, ...program.commands]) command.exitOverride();

function fail(error: unknown): void {
  if (error instanceof CommanderError) {
    // Help and version are no errors; commander has written what there is to say.
    process.exitCode = error.exitCode === 0 ? 0 : BAD_USAGE;
  } else if ((error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE') {
    process.exit(0); // an output of --output or --out that nobody reads any more
  } else {
    process.exitCode = FAILED;
    if (program.opts().debug) console.error(error);
    else note(`grootvl: ${oneLine(error)}`);
  }
}

process.on('uncaughtException', (error) => {
  fail(error);
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  fail(error);
}
