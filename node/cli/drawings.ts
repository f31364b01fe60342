/** `grootvl tree` and `grootvl affinity`: draw a block's tree or affinities over the image. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { fittedExtent, prepareImage } from '../../plugin/image/prepare.js';
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import type { BlockOptions, BlockTree, GrootV } from '../../plugin/index.js';
import { encodeImage, imageFormat } from '../images/encode.js';
import { readImage } from '../images/read_image.js';
import { type CliBackend, startBackend, withBackend } from './backend.js';
import { integerFrom } from './failure.js';
import { imageOutput } from './image_output.js';
import { modelSource, withModel } from './inputs.js';
import { writeResult } from './result_file.js';
import { note } from './terminal.js';

/** Minimum short side of the model's input, in pixels. */
const LEAST_SIZE = 8;

interface Options {
  block: number;
  out: string;
  size?: number;
  backend: CliBackend;
}

interface TreeFlags extends Options {
  colour: 'depth' | 'dissimilarity';
}

interface AffinityFlags extends Options {
  at: { x: number; y: number };
  scan?: 'raster';
}

export function addTree(command: Command): void {
  withOptions(command)
    .addOption(
      new Option('--colour <by>', 'colour of edges: by depth, or by dissimilarity of their ends')
        .choices(['depth', 'dissimilarity'])
        .default('depth'),
    )
    .action(async (dir: string, file: string, options: TreeFlags) => {
      await withImage(dir, file, options, async (model, image, block) => {
        const { drawTree } = await import('../../plugin/image/draw_tree.js');
        if (options.colour === 'depth') {
          const tree = await model.tree(image, block);
          return drawTree({ image, grid: tree, ...tree });
        }
        const { scan = 'tree' } = model.metadata.architecture;
        if (scan !== 'tree') {
          throw new Error(
            `--colour dissimilarity needs a tree made of features; the model has a ${scan} scan`,
          );
        }
        const view = await model.view(image, block);
        view.dispose();
        const tree = view.tree as BlockTree;
        return drawTree({ image, grid: tree, ...tree, edgeValues: view.dissimilarity });
      });
    });
}

export function addAffinity(command: Command): void {
  withOptions(command)
    .requiredOption('--at <x,y>', 'the position, in pixels of the image', parsePoint)
    .addOption(
      new Option('--scan <kind>', 'next to the tree, draw what a raster scan would propagate').choices([
        'raster',
      ]),
    )
    .action(async (dir: string, file: string, options: AffinityFlags) => {
      const { x, y } = options.at;
      await withImage(dir, file, options, async (model, image, block) => {
        if (x >= image.width || y >= image.height) {
          throw new Error(
            `--at ${x},${y} is outside "${file}", which has ${image.width} x ${image.height} pixels`,
          );
        }
        const { scan: own = 'tree' } = model.metadata.architecture;
        if (options.scan && own !== 'tree') {
          throw new Error(`--scan ${options.scan} is drawn beside a tree; the model has a ${own} scan`);
        }
        const { drawAffinity } = await import('../../plugin/image/draw_affinity.js');
        const drawn = async (scan?: 'raster') => {
          const map = await model.affinity(image, { ...block, x, y, scan });
          return drawAffinity({ image, grid: map, values: map.values, anchor: { x, y } });
        };
        if (!options.scan) return drawn();
        const { sideBySide } = await import('../../plugin/image/side_by_side.js');
        return sideBySide([
          { title: 'tree scan', drawing: await drawn() },
          { title: `${options.scan} scan`, drawing: await drawn(options.scan) },
        ]);
      });
    });
}

function withOptions(command: Command): Command {
  command
    .option('--block <i>', 'index of the block over the whole network', integerFrom(0), 0)
    .option(
      '--size <pixels>',
      "short side of the model's input in pixels (default: the model's)",
      integerFrom(LEAST_SIZE),
    )
    .requiredOption('--out <file.png>', 'output image: .png, .jpg or .webp', imageOutput);
  return withBackend(command);
}

/** Runs the model on the whole image (without cropping) and writes the drawing. */
async function withImage(
  dir: string,
  file: string,
  { out, size, block, backend }: Options,
  draw: (model: GrootV, image: RgbImage, options: BlockOptions) => Promise<RgbImage>,
): Promise<void> {
  const started = await startBackend(backend);
  const { GrootV } = await import('../../plugin/index.js');
  const image = await readImage(file);
  const drawing = await withModel(GrootV.load(await modelSource(dir)), async (model) => {
    const options = { block, size: size ?? model.metadata.preprocessing.size };
    checkThin(file, image, options.size, size !== undefined);
    await announce(model, image, options);
    return draw(model, image, options);
  });
  await writeResult(out, await encodeImage(drawing, imageFormat(out)), started);
}

/** Maximum pixels of the model's input without `--size`: only very thin images have more. */
const MAX_PIXELS_UNASKED = 8e6;

/** Number of pixels from which the expected cost is printed. */
const ANNOUNCED_PIXELS = 2e6;

/** Refuses to enlarge a very thin image by its short side to many millions of pixels. */
function checkThin(file: string, image: RgbImage, size: number, isAsked: boolean): void {
  const { width, height } = fittedExtent(image, size);
  if (isAsked || width * height <= MAX_PIXELS_UNASKED) return;
  const [short, long] = [image.width, image.height].sort((a, b) => a - b);
  const most = Math.floor(Math.sqrt((MAX_PIXELS_UNASKED * short) / long));
  const remedy = most >= LEAST_SIZE ? `choose a --size of at most ${most}, or crop it` : 'crop it';
  throw new Error(
    `"${file}" has ${image.width} x ${image.height} pixels and would be enlarged to ${width} x ${height}, ` +
      `${Math.round((width * height) / 1e6)} million pixels: ${remedy}`,
  );
}

/** Prints the expected cost of a large image: memory by the size of the model, time extrapolated from a small image. */
async function announce(
  model: GrootV,
  image: RgbImage,
  options: BlockOptions & { size: number },
): Promise<void> {
  const { width, height } = fittedExtent(image, options.size);
  if (width * height < ANNOUNCED_PIXELS) return;
  const small = prepareImage(image, model.metadata.preprocessing);
  const { block } = options;
  await model.tree(small, { block }); // the first run also initialises kernels
  const start = performance.now();
  await model.tree(small, { block });
  const seconds = ((performance.now() - start) / 1000) * ((width * height) / (small.width * small.height));
  note(
    `grootvl: the model sees ${width} x ${height} pixels: about ` +
      `${(model.workingBytes({ width, height }) / 1e9).toFixed(1)} GB of memory and ${Math.ceil(seconds)} s`,
  );
}

function parsePoint(text: string): { x: number; y: number } {
  const match = /^(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)$/.exec(text);
  if (!match) throw new InvalidArgumentError('expected two numbers, such as 120,80.');
  return { x: Number(match[1]), y: Number(match[2]) };
}
