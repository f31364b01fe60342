/** What tasks on picture files have in common: the model, pictures read while it works, errors as rows. */
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import type { ModelSource } from '../../plugin/index.js';
import { isOfOutput } from '../atomic_file.js';
import { type StartedBackend, startBackend } from '../backend.js';
import { oneLine } from '../error_line.js';
import { QuickFiles } from '../images/file_bytes.js';
import type { ImageInput } from '../images/picture_files.js';
import { readImage } from '../images/read_image.js';
import { modelSource } from '../model_source.js';
import type { FailedRow, OpenOptions, PictureRow, Task, TaskSpec } from './task.js';

/** Pictures of a batch that are decoded at the same time; libuv has four threads. */
const READ_AT_A_TIME = 4;

const files = new QuickFiles();

/** A picture for the model. */
export interface GivenPicture<Input> {
  readonly input: Input;
  readonly image: RgbImage;
  /** Milliseconds that its preparation has taken. */
  readonly ms: number;
}

/** What is done with pictures. */
export type PictureWork<Input, Row> = Reading<Input> & (Single<Input, Row> | Several<Input, Row>);

interface Reading<Input> {
  /** Pictures of a batch where no number is asked for; 1 by default. */
  readonly batch?: number;
  /** Reads a picture that is not in a file of its own. */
  read?(input: Input): Promise<RgbImage>;
  /** Makes a picture smaller, so that those of a batch take little memory. */
  prepare?(image: RgbImage): RgbImage;
}

interface Single<Input, Row> {
  /** The row of a picture. */
  compute(picture: GivenPicture<Input>): Promise<Row>;
}

interface Several<Input, Row> {
  /** A row for each picture. Where it throws for several, each is tried by itself. */
  computeAll(pictures: readonly GivenPicture<Input>[]): Promise<Row[]>;
}

/**
 * Opens a task on picture files.
 * @param load the model of a source
 * @param workOf what the model does with pictures
 * @throws {Error} one line, when the backend or the model cannot be had
 */
export async function openPictureTask<
  Model extends { dispose(): void },
  Input extends ImageInput,
  Row extends PictureRow,
>(
  { backend: asked, model: path }: TaskSpec,
  { source, warn = () => {} }: OpenOptions,
  load: (source: ModelSource) => Promise<Model>,
  workOf: (model: Model, backend: StartedBackend) => PictureWork<Input, Row>,
): Promise<Task<Input, Row>> {
  const backend = await startBackend(asked, warn);
  const model = await load(source ?? (await modelSource(path)));
  const work = workOf(model, backend);
  /** One batch at a time: what the model takes for a batch is memory. */
  let before: Promise<unknown> = Promise.resolve();
  return {
    backend,
    batch: work.batch ?? 1,
    dispose: () => model.dispose(),
    async run(inputs) {
      const pictures = await readAll(inputs, work);
      const result = before.then(() => rowsOf(pictures, work));
      before = result.catch(() => {});
      return result;
    },
  };
}

/** Each input as a picture, or the row of why there is none. */
async function readAll<Input extends ImageInput>(
  inputs: readonly Input[],
  work: Reading<Input>,
): Promise<(GivenPicture<Input> | FailedRow)[]> {
  const results: (GivenPicture<Input> | FailedRow)[] = new Array(inputs.length);
  const left = inputs.entries();
  const read = async () => {
    for (const [i, input] of left) {
      results[i] = await readOne(input, work).catch((error) => failed(input, error));
    }
  };
  await Promise.all(Array.from({ length: READ_AT_A_TIME }, read));
  return results;
}

async function readOne<Input extends ImageInput>(
  input: Input,
  work: Reading<Input>,
): Promise<GivenPicture<Input>> {
  if (input.problem !== undefined) throw new Error(input.problem);
  const whole = await (work.read?.(input) ?? readImage(input.file, { bytesOf: (file) => files.bytes(file) }));
  const start = performance.now();
  const image = work.prepare?.(whole) ?? whole;
  return { input, image, ms: performance.now() - start };
}

async function rowsOf<Input extends ImageInput, Row extends PictureRow>(
  pictures: readonly (GivenPicture<Input> | FailedRow)[],
  work: PictureWork<Input, Row>,
): Promise<(Row | FailedRow)[]> {
  const given = pictures.filter((picture): picture is GivenPicture<Input> => 'image' in picture);
  const rows = await computed(given, work);
  return pictures.map((picture) => ('image' in picture ? (rows.shift() as Row | FailedRow) : picture));
}

async function computed<Input extends ImageInput, Row extends PictureRow>(
  given: readonly GivenPicture<Input>[],
  work: PictureWork<Input, Row>,
): Promise<(Row | FailedRow)[]> {
  const isBatch = 'computeAll' in work;
  if (isBatch && given.length > 1) {
    const rows = await work.computeAll(given).catch(() => undefined);
    if (rows) return rows;
  }
  const compute = async (picture: GivenPicture<Input>): Promise<Row> =>
    isBatch ? (await work.computeAll([picture]))[0] : work.compute(picture);
  const rows: (Row | FailedRow)[] = [];
  for (const picture of given) {
    const orFailed = (error: unknown) => {
      if (isOfOutput(error)) throw error; // a full disk is no fault of the picture
      return failed(picture.input, error);
    };
    rows.push(await compute(picture).catch(orFailed));
  }
  return rows;
}

function failed({ file }: ImageInput, error: unknown): FailedRow {
  return { file, error: oneLine(error) };
}

/** Milliseconds to a tenth. */
export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
