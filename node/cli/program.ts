/** The command line `grootvl`. To add a command, add a file in this folder with its options, and an entry here. */
import { Argument, Command } from 'commander';
import { CONVERTER_VERSION } from '../../converters/version.js';
import { pathOf, report } from './failure.js';
import { commanderOutput, type Streams, withStreams } from './terminal.js';

interface CommandEntry {
  readonly description: string;
  readonly arguments?: readonly (readonly [name: string, description: string])[];
  /** Imports the function that adds options and the action. */
  load(): Promise<(command: Command) => void>;
}

const CHECKPOINT = ['<checkpoint>', 'a file, or the folder of a language model'] as const;
const MODEL = ['<model-dir>', 'the folder of a converted model, or its URL'] as const;
const LANGUAGE_MODEL = ['<model-dir>', 'the folder of a language model, or its URL'] as const;
const IMAGE = ['<image>', 'an image'] as const;
const WHAT_IMAGES = 'files, folders, patterns such as "photos/*.jpg", or - for file names on standard input';
const IMAGES = ['<image...>', WHAT_IMAGES] as const;
/** Arguments of commands that accept `--list` as well. */
const IMAGES_OR_LIST = ['[image...]', WHAT_IMAGES] as const;

/** What the help text shows of all commands; the rest of a command is loaded when it is called. Arguments are paths. */
const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  inspect: {
    description:
      'show architecture, parameters, tensors, and what was left out and why, for a file or the HuggingFace folder ' +
      'of a language model',
    arguments: [CHECKPOINT],
    load: async () => (await import('./inspect.js')).addInspect,
  },
  convert: {
    description:
      'convert a PyTorch checkpoint, or the HuggingFace folder of a language model, to a TensorFlow.js GraphModel',
    arguments: [CHECKPOINT, ['<out-dir>', 'a folder that is new or empty']],
    load: async () => (await import('./convert.js')).addConvert,
  },
  classify: {
    description: 'print the most probable classes of images',
    arguments: [MODEL, IMAGES_OR_LIST],
    load: async () => (await import('./classify.js')).addClassify,
  },
  segment: {
    description: 'predict the class of every pixel of images',
    arguments: [MODEL, IMAGES_OR_LIST],
    load: async () => (await import('./segment.js')).addSegment,
  },
  detect: {
    description: 'detect the objects in images, with their masks',
    arguments: [MODEL, IMAGES_OR_LIST],
    load: async () => (await import('./detect.js')).addDetect,
  },
  evaluate: {
    description: 'evaluate a model: accuracy, mean IoU or average precision on labelled images',
    arguments: [MODEL],
    load: async () => (await import('./evaluate.js')).addEvaluate,
  },
  queue: {
    description:
      'process images with workers on any number of machines, through a queue in Redis: add, work, collect, status, remove',
    load: async () => (await import('./queue.js')).addQueue,
  },
  tree: {
    description: 'draw the spanning tree of a block over an image, coloured by depth',
    arguments: [MODEL, IMAGE],
    load: async () => (await import('./drawings.js')).addTree,
  },
  affinity: {
    description: 'draw the affinities of all positions with one of them in a block',
    arguments: [MODEL, IMAGE],
    load: async () => (await import('./drawings.js')).addAffinity,
  },
  erf: {
    description:
      'measure the effective receptive field: the contribution of pixels to the centre of the feature map',
    arguments: [MODEL, IMAGES],
    load: async () => (await import('./erf.js')).addErf,
  },
  run: {
    description: 'feed the tensors in a file to the nodes of the same names, and write other nodes to a file',
    arguments: [MODEL],
    load: async () => (await import('./run.js')).addRun,
  },
  train: {
    description:
      'fine-tune a classifier on images: folders of classes, idx files or a CSV of paths and labels',
    arguments: [
      ['<model>', 'a checkpoint, or the folder of a converted model'],
      ['<data>', 'labelled images'],
    ],
    load: async () => (await import('./train.js')).addTrain,
  },
  conformance: {
    description: 'run the conformance suite on backends of this machine, and report which agree with PyTorch',
    load: async () => (await import('./conformance.js')).addConformance,
  },
  bench: {
    description: 'time every op and a whole prediction, as ratios within one run',
    load: async () => (await import('./bench.js')).addBench,
  },
  finetune: {
    description: 'fine-tune a language model on instructions, with a LoRA adapter or in full',
    arguments: [
      ['<model>', 'the HuggingFace folder of a language model, or the folder of a converted one'],
      ['<data.jsonl>', 'rows with instruction, input and output, or with prompt and completion'],
    ],
    load: async () => (await import('./finetune.js')).addFinetune,
  },
  generate: {
    description: 'continue a text with a language model, printing it as it is generated',
    arguments: [LANGUAGE_MODEL],
    load: async () => (await import('./generate.js')).addGenerate,
  },
  score: {
    description:
      'print the log probability of a continuation after a context, as the evaluation harness computes it',
    arguments: [LANGUAGE_MODEL],
    load: async () => (await import('./score.js')).addScore,
  },
};

/**
 * Runs the command line: `argv` as from a shell, without the program name. Only one run at a time in a process, as it owns the
 * console, tfjs's backend and the environment; models are disposed of at the end.
 * @returns the exit status: 0 done, 1 failed, 2 bad usage, 3 some of several inputs failed
 */
export function main(argv: readonly string[], streams: Streams = process): Promise<number> {
  return withStreams(streams, async () => {
    const program = grootvl();
    // The first word, since --debug is the only option before it; `help classify` shows the options of the second.
    const called = argv.find((word) => !word.startsWith('-') && word !== 'help');
    try {
      const command = program.commands.find((each) => each.name() === called);
      if (command) (await COMMANDS[command.name()].load())(command);
      await program.parseAsync(argv, { from: 'user' });
      return 0;
    } catch (error) {
      return report(error, program.opts().debug);
    }
  });
}

function grootvl(): Command {
  const program = new Command('grootvl')
    .description('tree state-space models (GrootVL, also published as MambaTree) for TensorFlow.js')
    .version(CONVERTER_VERSION)
    .option('--debug', 'show the stack trace of an error')
    .showHelpAfterError('(grootvl --help lists the commands)')
    .configureOutput(commanderOutput)
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${command.usage()}` })
    .exitOverride(); // throw instead of ending the process, as in all its commands
  for (const [name, { description, arguments: given = [] }] of Object.entries(COMMANDS)) {
    const command = program.command(name).description(description);
    for (const [term, what] of given) {
      const argument = new Argument(term, what);
      command.addArgument(argument.variadic ? argument : argument.argParser(pathOf));
    }
  }
  return program;
}
