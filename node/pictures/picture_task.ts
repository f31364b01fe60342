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
  /**
   * The row of a picture.
   * @param later takes what writes its files: that is done while the model works on the next picture
   */
  compute(picture: GivenPicture<Input>, later: (write: () => Promise<void>) => void): Promise<Row>;
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
  const turns = new Turns();
  return {
    backend,
    batch: work.batch ?? 1,
    dispose: () => model.dispose(),
    async run(inputs) {
      const pictures = await readAll(inputs, work);
      const rows = await turns.compute(() => rowsOf(pictures, work, turns));
      return Promise.all(rows);
    },
  };
}

/** One batch at a time is computed, and the files of one picture written: both take memory. */
class Turns {
  private computing: Promise<unknown> = Promise.resolve();
  private writing: Promise<unknown> = Promise.resolve();

  /** Computes when what came before is computed. */
  compute<T>(work: () => Promise<T>): Promise<T> {
    const result = this.computing.then(work);
    this.computing = result.catch(() => {});
    return result;
  }

  /** Begins to write when what came before is written. */
  async write(work: () => Promise<void>): Promise<{ readonly written: Promise<void> }> {
    await this.writing;
    const written = work();
    this.writing = written.catch(() => {});
    return { written };
  }
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

/** The row of each picture, some of which come when their files are written. */
async function rowsOf<Input extends ImageInput, Row extends PictureRow>(
  pictures: readonly (GivenPicture<Input> | FailedRow)[],
  work: PictureWork<Input, Row>,
  turns: Turns,
): Promise<Promise<Row | FailedRow>[]> {
  const given = pictures.filter((picture): picture is GivenPicture<Input> => 'image' in picture);
  const rows = await computed(given, work, turns);
  return pictures.map(async (picture) =>
    'image' in picture ? (rows.shift() as Promise<Row | FailedRow>) : picture,
  );
}

async function computed<Input extends ImageInput, Row extends PictureRow>(
  given: readonly GivenPicture<Input>[],
  work: PictureWork<Input, Row>,
  turns: Turns,
): Promise<Promise<Row | FailedRow>[]> {
  const isBatch = 'computeAll' in work;
  if (isBatch && given.length > 1) {
    const rows = await work.computeAll(given).catch(() => undefined);
    if (rows) return rows.map(async (row) => row);
  }
  const rows: Promise<Row | FailedRow>[] = [];
  for (const picture of given) {
    const orFailed = (error: unknown) => {
      if (isOfOutput(error)) throw error; // a full disk is no fault of the picture
      return failed(picture.input, error);
    };
    let write = async () => {};
    const compute = async (): Promise<Row> =>
      isBatch
        ? (await work.computeAll([picture]))[0]
        : work.compute(picture, (later) => {
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

/** Milliseconds to a tenth. */
export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
