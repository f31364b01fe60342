#!/usr/bin/env node
/** Runs the command line. Exit status: 0 done, 1 it failed, 2 bad usage. */
import { CommanderError } from 'commander';
import { BAD_USAGE, FAILED, oneLine } from './failure.js';
import { grootvl } from './program.js';

const program = grootvl();
for (const command of [program, ...program.commands]) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version are no errors; commander has written what there is to say.
    process.exitCode = error.exitCode === 0 ? 0 : BAD_USAGE;
  } else {
    console.error(program.opts().debug ? error : `grootvl: ${oneLine(error)}`);
    process.exitCode = FAILED;
  }
}
