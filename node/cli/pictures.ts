/** `grootvl tree` and `grootvl affinity`: what a block of the model sees, drawn over the picture. */
import { type Command, InvalidArgumentError } from 'commander';
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import type { BlockOptions, GrootV } from '../../plugin/index.js';
import { writeFileAtomically } from '../atomic_file.js';
import { encodeImage, imageFormat } from '../images/encode.js';
import { readImage } from '../images/read_image.js';
import { type CliBackend, startBackend, withBackend } from './backend.js';
import { integerFrom, outputOf, pathOf } from './failure.js';
import { modelSource } from './inputs.js';
import { printWritten } from './terminal.js';

interface Options {
  block: number;
  out: string;
  size?: number;
  backend: CliBackend;
}

export function addPictures(program: Command): void {
  pictureCommand(
    program,
    'tree',
    'draw the spanning tree of a block over a picture, coloured by depth',
  ).action(async (dir: string, file: string, options: Options) => {
    await withPicture(dir, file, options, async (model, image, block) => {
      const { height, width, order, parent } = await model.tree(image, block);
      const { drawTree } = await import('../../plugin/image/draw_tree.js');
      return drawTree({ image, grid: { height, width }, order, parent });
    });
  });
  pictureCommand(program, 'affinity', 'draw how much of every place reaches one of them through a block')
    .requiredOption('--at <x,y>', 'the place, in pixels of the picture', parsePoint)
    .action(async (dir: string, file: string, options: Options & { at: { x: number; y: number } }) => {
      const { x, y } = options.at;
      await withPicture(dir, file, options, async (model, image, block) => {
        if (x >= image.width || y >= image.height) {
          throw new Error(
            `--at ${x},${y} is outside ${file}, which has ${image.width} x ${image.height} pixels`,
          );
        }
        const map = await model.affinity(image, { ...block, x, y });
        const { drawAffinity } = await import('../../plugin/image/draw_affinity.js');
        return drawAffinity({ image, grid: map, values: map.values, anchor: { x, y } });
      });
    });
}

function pictureCommand(program: Command, name: string, description: string): Command {
  const command = program
    .command(name)
    .argument('<model-dir>', 'the folder of a converted model, or its URL', pathOf)
    .argument('<image>', 'a picture', pathOf)
    .description(description)
    .option('--block <i>', 'block, counted over the whole network', integerFrom(0), 0)
    .option(
      '--size <pixels>',
      "short side of the picture that the model sees (default: the model's own)",
      integerFrom(8),
    )
    .requiredOption('--out <file.png>', 'where the picture goes: .png, .jpg or .webp', pictureOutput);
  return withBackend(command);
}

/** Runs the model on the whole picture (nothing is cropped away) and writes what is drawn. */
async function withPicture(
  dir: string,
  file: string,
  { out, size, block, backend }: Options,
  draw: (model: GrootV, image: RgbImage, options: BlockOptions) => Promise<RgbImage>,
): Promise<void> {
  const started = await startBackend(backend);
  const { GrootV } = await import('../../plugin/index.js');
  const image = await readImage(file);
  const model = await GrootV.load(await modelSource(dir));
  const drawing = await draw(model, image, { block, size: size ?? model.metadata.preprocessing.size });
  await writeFileAtomically(out, await encodeImage(drawing, imageFormat(out)));
  model.dispose();
  printWritten(out, started);
}

/** The path of a picture, of a format that can be written. */
function pictureOutput(text: string): string {
  const path = outputOf(text);
  try {
    imageFormat(path);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return path;
}

function parsePoint(text: string): { x: number; y: number } {
  const match = /^(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)$/.exec(text);
  if (!match) throw new InvalidArgumentError('expected two numbers, such as 120,80.');
  return { x: Number(match[1]), y: Number(match[2]) };
}
