/** Common parts of tasks over image files: the model, reading images while it works, errors as rows. */
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import type { ModelSource } from '../../plugin/index.js';
import { isOfOutput } from '../atomic_file.js';
import { type StartedBackend, startBackend } from '../backend.js';
import { oneLine } from '../error_line.js';
import { QuickFiles } from '../images/file_bytes.js';
import type { ImageInput } from '../images/image_files.js';
import { readImage } from '../images/read_image.js';
import { modelSource } from '../model_source.js';
import type { FailedRow, ImageRow, OpenOptions, Task, TaskSpec } from './task.js';

/** Maximum number of images of a batch that are decoded at the same time; libuv has four threads. */
const READ_AT_A_TIME = 4;

const files = new QuickFiles();

/** An image for the model. */
export interface GivenImage<Input> {
  readonly input: Input;
  readonly image: RgbImage;
  /** Milliseconds of its preparation. */
  readonly ms: number;
}

/** How a task processes images. */
export type ImageWork<Input, Row> = Reading<Input> & (Single<Input, Row> | Several<Input, Row>);

interface Reading<Input> {
  /** Default batch size; 1 if undefined. */
  readonly batch?: number;
  /** Reads an image that is not stored in a separate file. */
  read?(input: Input): Promise<RgbImage>;
  /** Reduces an image in size, so that those of a batch take little memory. */
  prepare?(image: RgbImage): RgbImage;
}

interface Single<Input, Row> {
  /**
   * Computes the row of an image.
   * @param later takes a function that writes its files, which runs while the model processes the next image
   */
  compute(image: GivenImage<Input>, later: (write: () => Promise<void>) => void): Promise<Row>;
}

interface Several<Input, Row> {
  /** Computes a row for each image. If it throws for several images, each is retried separately. */
  computeAll(images: readonly GivenImage<Input>[]): Promise<Row[]>;
}

/**
 * Opens a task over image files.
 * @param family loads the model
 * @param workOf how the model processes images
 * @throws {Error} one line, if the backend or the model is not available
 */
export async function openImageTask<
  Model extends { dispose(): void },
  Input extends ImageInput,
  Row extends ImageRow,
>(
  { backend: asked, model: path }: TaskSpec,
  { source, warn = () => {} }: OpenOptions,
  family: { load(source: ModelSource): Promise<Model> },
  workOf: (model: Model, backend: StartedBackend) => ImageWork<Input, Row>,
): Promise<Task<Input, Row>> {
  const backend = await startBackend(asked, warn);
  const model = await family.load((await source) ?? (await modelSource(path)));
  const work = workOf(model, backend);
  const turns = new Turns();
  return {
    backend,
    batch: work.batch ?? 1,
    dispose: () => model.dispose(),
    async run(inputs) {
      const images = await readAll(inputs, work);
      const rows = await turns.compute(() => rowsOf(images, work, turns));
      return Promise.all(rows);
    },
  };
}

/** Computes only one batch at a time, and writes the files of only one image at a time, as both take memory. */
class Turns {
  private computing: Promise<unknown> = Promise.resolve();
  private writing: Promise<unknown> = Promise.resolve();

  /** Computes after everything before it has been computed. */
  compute<T>(work: () => Promise<T>): Promise<T> {
    const result = this.computing.then(work);
    this.computing = result.catch(() => {});
    return result;
  }

  /** Starts writing after everything before it has been written. */
  async write(work: () => Promise<void>): Promise<{ readonly written: Promise<void> }> {
    await this.writing;
    const written = work();
    this.writing = written.catch(() => {});
    return { written };
  }
}

/** Each input as an image, or as the row of its error. */
async function readAll<Input extends ImageInput>(
  inputs: readonly Input[],
  work: Reading<Input>,
): Promise<(GivenImage<Input> | FailedRow)[]> {
  const results: (GivenImage<Input> | FailedRow)[] = new Array(inputs.length);
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
): Promise<GivenImage<Input>> {
  if (input.problem !== undefined) throw new Error(input.problem);
  const whole = await (work.read?.(input) ?? readImage(input.file, { bytesOf: (file) => files.bytes(file) }));
  const start = performance.now();
  const image = work.prepare?.(whole) ?? whole;
  return { input, image, ms: performance.now() - start };
}

/** The row of each image; some of them arrive once their files have been written. */
async function rowsOf<Input extends ImageInput, Row extends ImageRow>(
  images: readonly (GivenImage<Input> | FailedRow)[],
  work: ImageWork<Input, Row>,
  turns: Turns,
): Promise<Promise<Row | FailedRow>[]> {
  const given = images.filter((image): image is GivenImage<Input> => 'image' in image);
  const rows = await computed(given, work, turns);
  return images.map(async (image) => ('image' in image ? (rows.shift() as Promise<Row | FailedRow>) : image));
}

async function computed<Input extends ImageInput, Row extends ImageRow>(
  given: readonly GivenImage<Input>[],
  work: ImageWork<Input, Row>,
  turns: Turns,
): Promise<Promise<Row | FailedRow>[]> {
  const isBatch = 'computeAll' in work;
  if (isBatch && given.length > 1) {
    const rows = await work.computeAll(given).catch(() => undefined);
    if (rows) return rows.map(async (row) => row);
  }
  const rows: Promise<Row | FailedRow>[] = [];
  for (const image of given) {
    const orFailed = (error: unknown) => {
      if (isOfOutput(error)) throw error; // a full disk is not an error of the image
      return failed(image.input, error);
    };
    let write = async () => {};
    const compute = async (): Promise<Row> =>
      isBatch
        ? (await work.computeAll([image]))[0]
        : work.compute(image, (later) => {
            write = later;
          });
    const row = await compute().catch(orFailed);
    const { written } = await turns.write(write);
    const orFailedToWrite = written.then(() => row, orFailed);
    orFailedToWrite.catch(() => {}); // awaited with the others of the batch
    rows.push(orFailedToWrite);
  }
  return rows;
}

function failed({ file }: ImageInput, error: unknown): FailedRow {
  return { file, error: oneLine(error) };
}

/** Rounds milliseconds to tenths. */
export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
