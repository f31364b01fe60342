/** `grootvl tree` and `grootvl affinity`: what a block of the model sees, drawn over the picture. */
import { type Command, InvalidArgumentError } from 'commander';
import { drawAffinity } from '../../plugin/image/draw_affinity.js';
import { drawTree } from '../../plugin/image/draw_tree.js';
import { fitImage } from '../../plugin/image/prepare.js';
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import { GrootV, type ImageTensor } from '../../plugin/index.js';
import { writeFileAtomically } from '../atomic_file.js';
import { fileSystem } from '../file_system.js';
import { decodeImage } from '../images/decode.js';
import { encodeImage, imageFormat } from '../images/encode.js';
import { type CliBackend, startBackend, withBackend } from './backend.js';
import { integerFrom } from './failure.js';
import { toTensor } from './images.js';

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
    await withPicture(dir, file, options, async (model, image, tensor) => {
      const { height, width, order, parent } = await model.tree(tensor, { block: options.block });
      return drawTree({ image, grid: { height, width }, order, parent });
    });
  });
  pictureCommand(program, 'affinity', 'draw how much of every place reaches one of them through a block')
    .requiredOption('--at <x,y>', 'the place, in pixels of the picture', parsePoint)
    .action(async (dir: string, file: string, options: Options & { at: { x: number; y: number } }) => {
      const { x, y } = options.at;
      await withPicture(dir, file, options, async (model, image, tensor) => {
        if (x >= image.width || y >= image.height) {
          throw new Error(
            `--at ${x},${y} is outside ${file}, which has ${image.width} x ${image.height} pixels`,
          );
        }
        // The same place of the resized picture.
        const [height, width] = tensor.shape;
        const at = { x: (x * width) / image.width, y: (y * height) / image.height };
        const map = await model.affinity(tensor, { ...at, block: options.block });
        return drawAffinity({ image, grid: map, values: map.values, anchor: { x, y } });
      });
    });
}

function pictureCommand(program: Command, name: string, description: string): Command {
  const command = program
    .command(`${name} <model-dir> <image>`)
    .description(description)
    .option('--block <i>', 'block, counted over the whole network', integerFrom(0), 0)
    .option(
      '--size <pixels>',
      "short side of the picture that the model sees (default: the model's own)",
      integerFrom(8),
    )
    .requiredOption('--out <file.png>', 'where the picture goes');
  return withBackend(command);
}

/** Runs the model on the whole picture (nothing is cropped away) and writes what is drawn. */
async function withPicture(
  dir: string,
  file: string,
  { out, size, backend }: Options,
  draw: (model: GrootV, image: RgbImage, tensor: ImageTensor) => Promise<RgbImage>,
): Promise<void> {
  const format = imageFormat(out); // before the work
  await startBackend(backend);
  const image = await decodeImage(file);
  const model = await GrootV.load(fileSystem(dir));
  const tensor = toTensor(fitImage(image, size ?? model.metadata.preprocessing.size));
  await writeFileAtomically(out, await encodeImage(await draw(model, image, tensor), format));
  tensor.dispose();
  model.dispose();
  console.log(`written to ${out}`);
}

function parsePoint(text: string): { x: number; y: number } {
  const match = /^(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)$/.exec(text);
  if (!match) throw new InvalidArgumentError('wanted two numbers, such as 120,80.');
  return { x: Number(match[1]), y: Number(match[2]) };
}
