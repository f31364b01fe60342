/** `grootvl detect`: the objects of a picture. */
import { type Command, InvalidArgumentError } from 'commander';
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import type { Detection } from '../../plugin/index.js';
import { usualCategoryIds } from '../../plugin/metrics/coco_categories.js';
import { encodeImage } from '../images/encode.js';
import { type CliBackend, type StartedBackend, startBackend, withBackend } from './backend.js';
import {
  checkAllDone,
  eachPicture,
  type Failed,
  isFailed,
  millisecondsSince,
  PictureOutput,
  pictureOutput,
  stemOf,
} from './each_picture.js';
import { BAD_USAGE, Failure } from './failure.js';
import { imageInputs, modelSource, withModel } from './inputs.js';
import { inline, note, print, printJson } from './terminal.js';

interface Options {
  out?: string;
  threshold?: number;
  json?: boolean;
  coco?: boolean;
  backend: CliBackend;
}

interface Detected {
  file: string;
  width: number;
  height: number;
  /** The best first. */
  detections: readonly Detection<'none' | 'rle' | 'bitmap'>[];
  /** The file that was written. */
  out?: string;
  backend: StartedBackend;
  /** Milliseconds of preparation, prediction and drawing. */
  ms: number;
}

/** Scores of objects that a person wants to see; a COCO evaluation wants all. */
const SHOWN_SCORE = 0.3;

export function addDetect(command: Command): void {
  command
    .option(
      '--out <file.png>',
      'boxes, masks and labels drawn over the picture: .png, .jpg or .webp; a folder for several pictures',
      pictureOutput,
    )
    .option(
      '--threshold <score>',
      `least score of an object, 0 to 1 (default: ${SHOWN_SCORE}; with --coco all that the model finds)`,
      fraction,
    )
    .option('--json', 'print one JSON document')
    .option('--coco', "print one JSON document in COCO's format of results, with masks");
  withBackend(command).action(async (dir: string, files: string[], options: Options) => {
    const inputs = await imageInputs(files);
    const out = options.out === undefined ? undefined : await PictureOutput.of('--out', options.out, inputs);
    const isJson = options.json || options.coco;
    if (isJson && out?.isStandardOutput) {
      throw new Failure(BAD_USAGE, 'standard output takes either --out or a JSON document');
    }
    const backend = await startBackend(options.backend);
    const { Detector } = await import('../../plugin/index.js');
    await withModel(Detector.load(await modelSource(dir)), async (model) => {
      const least = options.coco ? undefined : SHOWN_SCORE;
      const scoreThreshold = options.threshold ?? least;
      const masks = options.coco ? 'rle' : out ? 'bitmap' : 'none';
      const work = async (file: string, image: RgbImage): Promise<Detected> => {
        const start = performance.now();
        const { overlay, ...found } = await model.detect(image, {
          masks,
          scoreThreshold,
          overlay: out !== undefined,
        });
        const ms = millisecondsSince(start);
        const path = out && overlay && (await out.write(file, await encodeImage(overlay, out.format)));
        return { file, ...found, ...(path === undefined ? {} : { out: path }), backend, ms };
      };
      const show = out?.isStandardOutput ? note : print;
      const rows = await eachPicture(inputs, work, (row) => {
        if (!isJson) show(describe(row));
        else if (options.coco && isFailed(row)) note(describe(row));
      });
      if (options.coco) printJson(rows.flatMap((row) => cocoResults(row, model.classNames)));
      else if (options.json) printJson(rows.map(withoutMasks));
      checkAllDone(rows);
    });
  });
}

function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1)) {
    throw new InvalidArgumentError('expected a number from 0 to 1.');
  }
  return value;
}

function withoutMasks(row: Detected | Failed): object {
  if (isFailed(row)) return row;
  const detections = row.detections.map(({ box, label, index, score }) => ({ box, label, index, score }));
  return { ...row, detections };
}

/** The number at the end of a picture's name, as in COCO's files, or the name. */
function imageId(file: string): number | string {
  const name = stemOf(file);
  const number = /(?:^|_)(\d{1,15})$/.exec(name);
  return number ? Number(number[1]) : name;
}

/** Objects as COCO's evaluation reads them: boxes are x, y, width and height. */
function cocoResults(row: Detected | Failed, classNames: readonly string[]): object[] {
  if (isFailed(row)) return [];
  const ids = usualCategoryIds(classNames);
  return row.detections.map(({ box: [x1, y1, x2, y2], index, score, mask }) => ({
    image_id: imageId(row.file),
    category_id: ids[index],
    bbox: [x1, y1, x2 - x1, y2 - y1],
    score,
    segmentation: mask,
  }));
}

function describe(row: Detected | Failed): string {
  if (isFailed(row)) return `${inline(row.file)}: ${row.error}`;
  const { file, width, height, detections, out, backend, ms } = row;
  const lines = detections.map(({ box, label, score }) => {
    const [x1, y1, x2, y2] = box.map((at) => at.toFixed(0));
    return `  ${score.toFixed(2)}  ${inline(label)}  ${x1},${y1} to ${x2},${y2}`;
  });
  if (out !== undefined) lines.push(`  written to ${inline(out, 4096)}`);
  const count = `${detections.length} ${detections.length === 1 ? 'object' : 'objects'}`;
  return [`${inline(file)}: ${width} x ${height}, ${count} (${ms} ms, ${backend})`, ...lines].join('\n');
}
