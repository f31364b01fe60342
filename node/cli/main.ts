#!/usr/bin/env node
/** The program `grootvl`: the command line as a process. */
import { report } from './failure.js';
import { main } from './program.js';
import { guardOutput } from './terminal.js';

guardOutput();
const argv = process.argv.slice(2);
process.on('uncaughtException', (error) => process.exit(report(error, argv.includes('--debug'))));
process.exitCode = await main(argv);
