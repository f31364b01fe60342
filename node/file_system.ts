/** tfjs model folders on disk, for plain Node: `tf.loadGraphModel(fileSystem(dir))`, `model.save(fileSystem(dir))`. */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { io } from '@tensorflow/tfjs-core';
import { MAX_JSON_CHARACTERS } from '../plugin/models/bounded_json.js';
import { isRecord } from '../plugin/models/checks.js';
import type { ModelFolder } from '../plugin/models/model_files.js';
import {
  artifactsOf,
  checkStoredBytes,
  type ModelJson,
  parseModelJson,
  storedBytes,
} from '../plugin/models/model_json.js';
import { writeFolderAtomically } from './atomic_directory.js';
import { readExactly } from './file_source.js';
import { cannotOpen } from './system_error.js';

/** tfjs's own shard size, which browsers fetch and cache well. */
const SHARD_BYTES = 4 * 1024 * 1024;

interface Shard {
  file: string;
  size: number;
}

export interface FileSystemOptions {
  /** Whether `load()` returns the weights as a stream, so that they are never all in JavaScript memory; false by default. */
  readonly streamWeights?: boolean;
}

/**
 * An IOHandler for the graph model in folder `path` (its `model.json`), or for the `.json` file `path` itself.
 *
 * `load()` returns the weights as one ArrayBuffer, or as a stream if the options ask for it. It throws a one-line `Error` that
 * names the file if the folder, `model.json` or a shard is missing, the JSON is not a graph model, the sizes of the shards differ
 * from those in the manifest, or the path of a shard is outside the folder.
 *
 * `readText(name)` returns the text of a file beside model.json, which language models need. `save()` writes a new folder of the
 * same kind, complete or not at all; it throws if `path` is not empty.
 */
export function fileSystem(path: string, options: FileSystemOptions = {}): ModelFolder {
  const { directory, file } = placeOf(path);
  return {
    load: () => load(directory, file, options),
    save: (artifacts) => save(directory, file, artifacts),
    origin: file,
    readText: (name) => readBeside(directory, name),
  };
}

function placeOf(path: string): { directory: string; file: string } {
  return path.endsWith('.json')
    ? { directory: dirname(path), file: path }
    : { directory: path, file: join(path, 'model.json') };
}

/**
 * The files of the model that {@link fileSystem} loads from `path`: its JSON, then its shards in order. Throws as `load()` does.
 */
export async function modelFiles(path: string): Promise<string[]> {
  const { directory, file } = placeOf(path);
  const model = parseModelJson(await readModelJson(directory, file), file);
  return [file, ...(await findShards(directory, file, model)).map((shard) => shard.file)];
}

async function load(
  directory: string,
  file: string,
  { streamWeights = false }: FileSystemOptions,
): Promise<io.ModelArtifacts> {
  const model = parseModelJson(await readModelJson(directory, file), file);
  const shards = await findShards(directory, file, model);
  // The size of a string tensor is only known once it has been read, so models with strings are not streamed.
  const hasTexts = model.weightsManifest.some(({ weights }) =>
    weights.some(({ dtype }) => dtype === 'string'),
  );
  return artifactsOf(
    model,
    streamWeights && !hasTexts
      ? { getWeightStream: () => streamWeightsOf(model, shards) }
      : { weightData: await readShards(file, shards) },
  );
}

async function readText(path: string): Promise<string> {
  // Opening a pipe would wait for its writer.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new Error('it is not a regular file');
    if (status.size > MAX_JSON_CHARACTERS) {
      throw new Error(`${status.size} bytes, expected at most ${MAX_JSON_CHARACTERS}`);
    }
    const bytes = new Uint8Array(status.size);
    await readExactly(handle, path, bytes, 0);
    return new TextDecoder().decode(bytes);
  } finally {
    await handle.close();
  }
}

async function readBeside(directory: string, name: string): Promise<string | undefined> {
  const path = join(directory, basename(name));
  return readText(path).catch((error: NodeJS.ErrnoException) => {
    // A missing folder is reported when model.json is read.
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw cannotOpen(path, error);
  });
}

async function readModelJson(directory: string, file: string): Promise<string> {
  return readText(file).catch(async (error) => {
    const folder = await stat(directory).catch(() => null);
    if (!folder) throw new Error(`cannot open "${directory}": no such directory`);
    if (!folder.isDirectory()) throw new Error(`cannot open "${directory}": it is not a directory`);
    throw cannotOpen(file, error);
  });
}

/** All shards in order, with the total length that the manifest declares. */
async function findShards(directory: string, file: string, { weightsManifest }: ModelJson): Promise<Shard[]> {
  const shards: Shard[] = [];
  for (const { paths, weights } of weightsManifest) {
    const found = await Promise.all(paths.map((path) => findShard(directory, path)));
    checkStoredBytes(file, weights, totalSize(found));
    shards.push(...found);
  }
  return shards;
}

async function findShard(directory: string, path: string): Promise<Shard> {
  const shard = join(directory, path);
  const status = await stat(shard).catch((error) => {
    throw cannotOpen(shard, error);
  });
  if (!status.isFile()) throw new Error(`cannot open "${shard}": it is not a regular file`);
  return { file: shard, size: status.size };
}

function totalSize(shards: Shard[]): number {
  return shards.reduce((sum, shard) => sum + shard.size, 0);
}

async function readShards(file: string, shards: Shard[]): Promise<ArrayBuffer> {
  const weights = allocate(file, totalSize(shards));
  let offset = 0;
  for (const { file, size } of shards) {
    await readPart(file, new Uint8Array(weights, offset, size), 0);
    offset += size;
  }
  return weights;
}

function allocate(file: string, bytes: number): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes);
  } catch {
    throw new Error(`${file}: ${bytes} bytes of weights do not fit into memory`);
  }
}

async function readPart(file: string, target: Uint8Array, offset: number): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await readExactly(handle, file, target, offset);
  } finally {
    await handle.close();
  }
}

/**
 * The weights one after another, each in one piece: tfjs joins pieces of a weight by copying all previous ones for every piece.
 */
function streamWeightsOf({ weightsManifest }: ModelJson, shards: Shard[]): ReadableStream<ArrayBuffer> {
  const sizes = weightsManifest
    .flatMap(({ weights }) => weights.map((weight) => storedBytes('model.json', weight)))
    .values();
  let [next, offset] = [0, 0];
  const read = async (size: number): Promise<ArrayBuffer> => {
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size; ) {
      const shard = shards[next];
      const part = bytes.subarray(done, done + Math.min(size - done, shard.size - offset));
      await readPart(shard.file, part, offset);
      done += part.length;
      offset += part.length;
      if (offset === shard.size) [next, offset] = [next + 1, 0];
    }
    return bytes.buffer;
  };
  return new ReadableStream({
    async pull(controller) {
      const size = sizes.next();
      if (size.done) controller.close();
      else controller.enqueue(await read(size.value));
    },
  });
}

async function save(directory: string, file: string, artifacts: io.ModelArtifacts): Promise<io.SaveResult> {
  const {
    modelTopology,
    weightSpecs = [],
    weightData = [],
    trainingConfig,
    getWeightStream,
    ...rest
  } = artifacts;
  if (!isRecord(modelTopology) || !Array.isArray(modelTopology.node)) {
    throw new Error(`cannot write to "${directory}": not a tfjs graph model`);
  }
  const shards = [...shardsOf(Array.isArray(weightData) ? weightData : [weightData])];
  const weightDataBytes = shards.reduce((sum, shard) => sum + shard.length, 0);
  checkStoredBytes(`cannot write to "${directory}"`, weightSpecs, weightDataBytes);
  const paths = shards.map((_, i) => `group1-shard${i + 1}of${shards.length}.bin`);
  const weightsManifest = [{ paths, weights: weightSpecs }];
  await writeFolderAtomically(directory, async (output) => {
    for (const [i, shard] of shards.entries()) await output.write(paths[i], [shard]);
    const json = JSON.stringify({ ...rest, modelTopology, weightsManifest });
    await output.write(basename(file), json);
  });
  return {
    modelArtifactsInfo: {
      dateSaved: new Date(),
      modelTopologyType: 'JSON',
      modelTopologyBytes: Buffer.byteLength(JSON.stringify(modelTopology)),
      weightSpecsBytes: Buffer.byteLength(JSON.stringify(weightSpecs)),
      weightDataBytes,
    },
  };
}

/** Views of at most SHARD_BYTES, without copies; the ends of shards need not be the ends of buffers. */
function* shardsOf(buffers: ArrayBuffer[]): Generator<Uint8Array> {
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.byteLength; at += SHARD_BYTES) {
      yield new Uint8Array(buffer, at, Math.min(SHARD_BYTES, buffer.byteLength - at));
    }
  }
}
