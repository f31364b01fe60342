/** `grootvl queue`: a run over images, shared through a queue in Redis by workers on any number of machines. */
import { type Command, Option } from 'commander';
import { ROW_FORMATS } from '../many_images/rows/row_writer.js';
import { withBackend } from './backend.js';
import { integerFrom, outputOf, pathOf, textLike } from './failure.js';
import { batchSize, withWorkers } from './image_options.js';
import { URL_VARIABLE } from './queue_server.js';
import { TASKS, withTaskOptions } from './queue_task.js';

const PATIENCE_S = 60;
const LOCK_S = 30;
const runName = textLike(/^[\w.-]{1,100}$/, 'letters, digits, dots, - and _, 100 at most');

export function addQueue(command: Command): void {
  const add = subcommand(command, 'add', 'add images to a queue, as batches of their names')
    .argument('<model-dir>', 'the folder of a converted model, or its URL', pathOf)
    .argument('[image...]', 'files, folders, patterns and URLs of images, or - for names on standard input')
    .option('--list <file>', 'a file with names of images, folders and URLs', pathOf)
    .addOption(new Option('--task <kind>', 'task of the run').choices(TASKS).default('classify'))
    .option('--batch <n>', 'images per job', batchSize)
    .option('--resume', 'add what a run of this name does not have yet')
    .addOption(new Option('--force', 'remove a run of this name and start again').conflicts('resume'));
  withTaskOptions(add).action(async (model, images, flags) => {
    await (await import('./queue_add.js')).queueAdd(model, images, flags);
  });

  const work = subcommand(command, 'work', 'process jobs of a run until all are done')
    .option('--model <dir>', 'local path of the model (default: its path in `add`)', pathOf)
    .option('--root <dir>', 'folder that file names are relative to (default: the working directory)', pathOf)
    .option(
      '--lock <s>',
      'seconds without a sign of life after which a job is given to another worker',
      integerFrom(1, 86_400),
      LOCK_S,
    )
    .option('--wait', 'wait for a run of this name to be added');
  withBackend(withWorkers(work)).action(async (flags) => {
    await (await import('./queue_work.js')).queueWork(flags);
  });

  subcommand(command, 'collect', 'print the results, in input order')
    .option('--wait', 'wait for all results instead of using those available')
    .addOption(
      new Option(
        '--format <name>',
        'format of the results (default: by the extension of their file, else text)',
      ).choices(ROW_FORMATS),
    )
    .option('--out <file>', 'write the results to a file, which is complete or absent', outputOf)
    .action(async (flags) => {
      await (await import('./queue_collect.js')).queueCollect(flags);
    });

  subcommand(command, 'status', 'show the progress of a run and its workers')
    .option('--json', 'print one JSON document')
    .action(async (flags) => {
      await (await import('./queue_status.js')).queueStatus(flags);
    });

  subcommand(command, 'remove', 'remove a run and its results from the server').action(async (flags) => {
    await (await import('./queue_status.js')).queueRemove(flags);
  });
}

function subcommand(command: Command, name: string, description: string): Command {
  return command
    .command(name)
    .description(description)
    .requiredOption('--name <run>', 'the name of the run', runName)
    .option('--redis <url>', `the Redis server, redis:// or rediss:// for TLS (default: ${URL_VARIABLE})`)
    .option('--patience <s>', 'seconds that the server may be unreachable', integerFrom(1), PATIENCE_S);
}
