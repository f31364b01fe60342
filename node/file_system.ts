/** tfjs model folders on disk, for plain Node: `tf.loadGraphModel(fileSystem(dir))`, `model.save(fileSystem(dir))`. */
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { io } from '@tensorflow/tfjs-core';
import type { ModelFolder } from '../plugin/models/model_files.js';
import { openAtomicDirectory } from './atomic_directory.js';
import { readExactly } from './file_source.js';

/** tfjs's own shard size: what a browser fetches and caches well. */
const SHARD_BYTES = 4 * 1024 * 1024;

/** Bytes of one element on disk, by the dtype it is stored in. */
const STORED_BYTES: ReadonlyMap<string, number> = new Map([
  ['float32', 4],
  ['int32', 4],
  ['bool', 1],
  ['complex64', 8],
  ['float16', 2],
  ['uint16', 2],
  ['uint8', 1],
]);

type GraphModelJson = Omit<io.ModelJSON, 'modelTopology'> & { modelTopology: object };

interface Shard {
  file: string;
  size: number;
}

export interface FileSystemOptions {
  /** Whether `load()` gives the weights as a stream, so that they are never all in JavaScript's memory; false. */
  readonly streamWeights?: boolean;
}

/**
 * An IOHandler for the graph model in folder `path` (its `model.json`), or for the `.json` file `path` itself.
 *
 * `load()` gives the weights as one ArrayBuffer, or as a stream where the options ask for it. It throws `Error`, one line that names the file, when the
 * folder, `model.json` or a shard is missing, when the JSON is not a graph model, when the shards do not add
 * up to the sizes the manifest declares, and when a shard's path leaves the folder.
 *
 * `readText(name)` gives the text of a file beside model.json, which language models need.
 * `save()` writes a new folder of the same kind, complete or not at all; it throws when `path` is not empty.
 */
export function fileSystem(path: string, options: FileSystemOptions = {}): ModelFolder {
  const toFile = path.endsWith('.json');
  const file = toFile ? path : join(path, 'model.json');
  const directory = toFile ? dirname(path) : path;
  return {
    load: () => load(directory, file, options),
    save: (artifacts) => save(directory, file, artifacts),
    readText: (name) => readText(directory, name),
  };
}

async function load(
  directory: string,
  file: string,
  { streamWeights = false }: FileSystemOptions,
): Promise<io.ModelArtifacts> {
  const model = await readModelJson(directory, file);
  const shards: Shard[] = [];
  for (const group of model.weightsManifest) {
    const found = await Promise.all(group.paths.map((path) => findShard(directory, file, path)));
    checkGroupSize(file, group.weights, totalSize(found));
    shards.push(...found);
  }
  return {
    modelTopology: model.modelTopology,
    weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
    ...(streamWeights
      ? { getWeightStream: () => streamWeightsOf(model, shards) }
      : { weightData: await readShards(shards) }),
    format: model.format,
    generatedBy: model.generatedBy,
    convertedBy: model.convertedBy,
    ...(model.signature && { signature: model.signature }),
    ...(model.userDefinedMetadata && { userDefinedMetadata: model.userDefinedMetadata }),
    ...(model.modelInitializer && { modelInitializer: model.modelInitializer }),
    ...(model.initializerSignature && { initializerSignature: model.initializerSignature }),
  };
}

async function readText(directory: string, name: string): Promise<string | undefined> {
  return readFile(join(directory, basename(name)), 'utf8').catch((error: NodeJS.ErrnoException) => {
    // A folder that is not there is reported by whoever reads model.json.
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw new Error(`${join(directory, name)}: ${error.message}`);
  });
}

async function readModelJson(directory: string, file: string): Promise<GraphModelJson> {
  const text = await readFile(file, 'utf8').catch(async (error: NodeJS.ErrnoException) => {
    const folder = await stat(directory).catch(() => null);
    if (!folder) throw new Error(`${directory}: no such directory`);
    if (!folder.isDirectory()) throw new Error(`${directory}: not a model directory`);
    throw new Error(error.code === 'ENOENT' ? `${file}: no such file` : `${file}: ${error.message}`);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error(`${file}: not JSON`);
  }
  if (!isGraphModel(json)) throw new Error(`${file}: not a tfjs graph model`);
  return json;
}

/** Checks the parts that are read here; the graph itself is tfjs's to check. */
function isGraphModel(json: unknown): json is GraphModelJson {
  if (!isRecord(json) || (json.format !== undefined && json.format !== 'graph-model')) return false;
  if (!isRecord(json.modelTopology) || !Array.isArray(json.modelTopology.node)) return false;
  return Array.isArray(json.weightsManifest) && json.weightsManifest.every(isGroup);
}

function isGroup(group: unknown): boolean {
  if (!isRecord(group) || !Array.isArray(group.paths) || !Array.isArray(group.weights)) return false;
  return group.paths.every((path) => typeof path === 'string') && group.weights.every(isWeight);
}

function isWeight(weight: unknown): boolean {
  if (!isRecord(weight) || typeof weight.name !== 'string' || typeof weight.dtype !== 'string') return false;
  if (weight.quantization !== undefined && !isRecord(weight.quantization)) return false;
  const isExtent = (extent: unknown) => Number.isSafeInteger(extent) && Number(extent) >= 0;
  return Array.isArray(weight.shape) && weight.shape.every(isExtent);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function findShard(directory: string, file: string, path: string): Promise<Shard> {
  // A model is somebody else's file: it must not name files elsewhere on this machine.
  const parts = path.split(/[/\\]/);
  if (path === '' || parts[0] === '' || parts.includes('..') || /[:\0]/.test(path)) {
    throw new Error(`${file}: refused shard path ${JSON.stringify(path)}, it must stay inside the directory`);
  }
  const shard = join(directory, path);
  const status = await stat(shard).catch((error: NodeJS.ErrnoException) => {
    throw new Error(error.code === 'ENOENT' ? `${shard}: no such file` : `${shard}: ${error.message}`);
  });
  if (!status.isFile()) throw new Error(`${shard}: not a regular file`);
  return { file: shard, size: status.size };
}

/** Throws `Error` unless the weights of one group of the manifest take exactly `stored` bytes. */
function checkGroupSize(file: string, weights: io.WeightsManifestEntry[], stored: number): void {
  // Strings have no size that could be told before reading them.
  if (weights.some((weight) => weight.dtype === 'string')) return;
  let declared = 0;
  for (const { name, shape, dtype, quantization } of weights) {
    const bytes = STORED_BYTES.get(quantization?.dtype ?? dtype);
    if (!bytes) throw new Error(`${file}: weight ${name} has unknown dtype ${quantization?.dtype ?? dtype}`);
    declared += shape.reduce((product, extent) => product * extent, bytes);
  }
  if (declared !== stored) {
    throw new Error(`${file}: the manifest declares ${declared} bytes of weights, there are ${stored}`);
  }
}

function totalSize(shards: Shard[]): number {
  return shards.reduce((sum, shard) => sum + shard.size, 0);
}

async function readShards(shards: Shard[]): Promise<ArrayBuffer> {
  const weights = new ArrayBuffer(totalSize(shards));
  let offset = 0;
  for (const { file, size } of shards) {
    await readPart(file, new Uint8Array(weights, offset, size), 0);
    offset += size;
  }
  return weights;
}

async function readPart(file: string, target: Uint8Array, offset: number): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    await readExactly(handle, file, target, offset);
  } finally {
    await handle?.close();
  }
}

/**
 * The weights one after another, each in one piece: tfjs joins the pieces of a weight by copying all that came before
 * with every piece.
 */
function streamWeightsOf({ weightsManifest }: GraphModelJson, shards: Shard[]): ReadableStream<ArrayBuffer> {
  const sizes = weightsManifest.flatMap(({ weights }) => weights.map(storedBytes)).values();
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

function storedBytes({ shape, dtype, quantization }: io.WeightsManifestEntry): number {
  const bytes = STORED_BYTES.get(quantization?.dtype ?? dtype) ?? 0;
  return shape.reduce((product, extent) => product * extent, bytes);
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
    throw new Error(`cannot write to ${directory}: not a tfjs graph model`);
  }
  const shards = [...shardsOf(Array.isArray(weightData) ? weightData : [weightData])];
  const weightDataBytes = shards.reduce((sum, shard) => sum + shard.length, 0);
  checkGroupSize(`cannot write to ${directory}`, weightSpecs, weightDataBytes);
  const paths = shards.map((_, i) => `group1-shard${i + 1}of${shards.length}.bin`);
  const weightsManifest = [{ paths, weights: weightSpecs }];
  const output = await openAtomicDirectory(directory);
  try {
    for (const [i, shard] of shards.entries()) await output.write(paths[i], [shard]);
    const json = JSON.stringify({ ...rest, modelTopology, weightsManifest });
    await output.write(basename(file), json);
    await output.commit();
  } catch (error) {
    await output.abort();
    throw error;
  }
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

/** Views of at most SHARD_BYTES; the shards' ends need not be the buffers' ends, but nothing is copied. */
function* shardsOf(buffers: ArrayBuffer[]): Generator<Uint8Array> {
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.byteLength; at += SHARD_BYTES) {
      yield new Uint8Array(buffer, at, Math.min(SHARD_BYTES, buffer.byteLength - at));
    }
  }
}
