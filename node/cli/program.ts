/** The command line `grootvl`. A new command is a file beside this one and a line here. */
import { Command } from 'commander';
import { CONVERTER_VERSION } from '../../converters/version.js';
import { addBench } from './bench.js';
import { addClassify } from './classify.js';
import { addConformance } from './conformance.js';
import { addConvert } from './convert.js';
import { addGenerate } from './generate.js';
import { addInspect } from './inspect.js';
import { addPictures } from './pictures.js';
import { addRun } from './run.js';
import { addScore } from './score.js';
import { multiline, send } from './terminal.js';

export function grootvl(): Command {
  const program = new Command('grootvl')
    .description('tree state-space models (GrootVL, also published as MambaTree) for TensorFlow.js')
    .version(CONVERTER_VERSION)
    .option('--debug', 'show the stack of an error')
    .showHelpAfterError('(grootvl --help lists the commands)')
    .configureOutput({
      writeOut: (text) => send(process.stdout, multiline(text)),
      writeErr: (text) => send(process.stderr, multiline(text)),
    });
  addInspect(program);
  addConvert(program);
  addClassify(program);
  addPictures(program);
  addRun(program);
  addConformance(program);
  addBench(program);
  addGenerate(program);
  addScore(program);
  return program;
}
