/** `grootvl detect`: the objects in images. */
import { type Command, Option } from 'commander';
import { withBackend } from './backend.js';
import { fraction } from './failure.js';
import { runImageCommand } from './image_command.js';
import { type ImageFlags, withImageOptions } from './image_options.js';
import { imageOutput } from './image_output.js';

interface Flags extends ImageFlags {
  readonly out?: string;
  readonly threshold?: number;
  readonly coco?: boolean;
}

/** Default score threshold: objects that a user wants to see; a COCO evaluation uses all. */
const SHOWN_SCORE = 0.3;

export function addDetect(command: Command): void {
  command
    .option(
      '--out <file.png>',
      'write the image with boxes, masks and labels: .png, .jpg or .webp; a folder for several images',
      imageOutput,
    )
    .option(
      '--threshold <score>',
      `least score of an object, 0 to 1 (default: ${SHOWN_SCORE}; with --coco all that the model finds)`,
      fraction,
    );
  withImageOptions(command).addOption(
    new Option('--coco', "print one JSON document in COCO's results format, with masks").conflicts('format'),
  );
  withBackend(command).action((model: string, files: string[], flags: Flags) => {
    const { coco, out, backend } = flags;
    const threshold = flags.threshold ?? (coco ? undefined : SHOWN_SCORE);
    const spec = { kind: 'detect', model, backend, options: { threshold, coco } };
    return runImageCommand(spec, files, coco ? { ...flags, json: true } : flags, { out });
  });
}
