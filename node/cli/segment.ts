/** `grootvl segment`: the class of every pixel of images. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { imageFormat } from '../images/encode.js';
import { withBackend } from './backend.js';
import { runImageCommand } from './image_command.js';
import { type ImageFlags, withImageOptions } from './image_options.js';
import { imageOutput } from './image_output.js';

interface Flags extends ImageFlags {
  readonly out?: string;
  readonly mask?: string;
  readonly mode?: 'whole' | 'slide';
}

export function addSegment(command: Command): void {
  command
    .option(
      '--out <file.png>',
      'write the image with its classes and a legend: .png, .jpg or .webp; a folder for several images',
      imageOutput,
    )
    .option(
      '--mask <file.png>',
      'write a greyscale PNG of class indices; a folder for several images',
      maskOutput,
    )
    .addOption(
      new Option(
        '--mode <mode>',
        "predict the whole image, or sliding windows (default: from the model's checkpoint)",
      ).choices(['whole', 'slide']),
    );
  withBackend(withImageOptions(command)).action((model: string, files: string[], flags: Flags) => {
    const { mode, out, mask, backend } = flags;
    return runImageCommand({ kind: 'segment', model, backend, options: { mode } }, files, flags, {
      out,
      mask,
    });
  });
}

function maskOutput(text: string): string {
  const path = imageOutput(text);
  if (!/[/\\]$/.test(path) && imageFormat(path) !== 'png') {
    throw new InvalidArgumentError('class indices are written as .png.');
  }
  return path;
}
