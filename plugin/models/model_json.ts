/**
 * Checks the contents of a GraphModel before tfjs sees it: tfjs trusts its files, and an unreadable graph ends in a
 * TypeError or an endless loop. Used by every way to load a model.
 */
import type { io } from '@tensorflow/tfjs-core';
import { parseBoundedJson } from './bounded_json.js';
import {
  type Check,
  integer,
  isRecord,
  listOf,
  number,
  oneOf,
  optional,
  optionalOrNull,
  quote,
  record,
  refuse,
  text,
} from './checks.js';
import { checkTopology, SHAPE } from './topology.js';

/** model.json or decode.json. */
export type ModelJson = Omit<io.ModelJSON, 'modelTopology'> & { readonly modelTopology: object };

/** Bytes per stored element, by stored dtype. A string takes 4 bytes for its length, plus its own. */
const STORED_BYTES: ReadonlyMap<string, number> = new Map([
  ['float32', 4],
  ['int32', 4],
  ['bool', 1],
  ['complex64', 8],
  ['float16', 2],
  ['uint16', 2],
  ['uint8', 1],
  ['string', 4],
]);

/** More does not fit into the memory of a process that runs tfjs. */
const MAX_WEIGHT_BYTES = 2 ** 34;
const MAX_RANK = 16;
const MAX_WEIGHTS = 200_000;
const MAX_NAME = 1000;

const WEIGHT = record({
  name: text(MAX_NAME),
  shape: listOf(integer(0), 0, MAX_RANK),
  dtype: text(20),
  quantization: optional(
    record({
      dtype: oneOf('float16', 'uint16', 'uint8'),
      scale: optional(number(-Number.MAX_VALUE, Number.MAX_VALUE)),
      min: optional(number(-Number.MAX_VALUE, Number.MAX_VALUE)),
    }),
  ),
});

const GROUP = record({
  paths: listOf(text(MAX_NAME), 0, MAX_WEIGHTS),
  weights: listOf(WEIGHT, 0, MAX_WEIGHTS),
});

const MODEL = record({
  format: optional(oneOf('graph-model', null)),
  modelTopology: checkTopology,
  weightsManifest: listOf(GROUP, 0, 1000),
  signature: checkSignature,
  modelInitializer: optionalOrNull(checkTopology),
  initializerSignature: checkSignature,
  userDefinedMetadata: checkOverrides,
});

/**
 * Parses model.json or decode.json.
 * @param file names it in errors.
 * @throws {Error} one line that names the file and what is wrong in it, if it is not a graph model, its graph is invalid, or
 *   it names a file outside its folder.
 */
export function parseModelJson(json: string, file: string): ModelJson {
  const model = parseBoundedJson(json, file);
  if (!isRecord(model) || !isGraphModel(model)) throw new Error(`${file}: not a tfjs graph model`);
  inFile(file, () => MODEL(model, 'model'));
  const { weightsManifest } = model as unknown as ModelJson;
  for (const { paths, weights } of weightsManifest) {
    for (const path of paths) checkShardPath(file, path);
    declaredBytes(file, weights);
  }
  checkNames(
    file,
    weightsManifest.flatMap((group) => group.weights),
  );
  return model as unknown as ModelJson;
}

/** Rejects layers models and other JSON first, before any detail is checked. */
function isGraphModel({ format, modelTopology, weightsManifest }: Record<string, unknown>): boolean {
  if (format !== undefined && format !== null && format !== 'graph-model') return false;
  return isRecord(modelTopology) && Array.isArray(modelTopology.node) && Array.isArray(weightsManifest);
}

/**
 * Checks the artifacts returned by an IOHandler.
 * @param name names the model in errors.
 * @throws {Error} as {@link parseModelJson}, and if the weights do not have the declared number of bytes.
 */
export function checkArtifacts(name: string, artifacts: unknown): asserts artifacts is io.ModelArtifacts {
  if (!isRecord(artifacts)) throw new Error(`${name}: the handler gave no model`);
  const { weightSpecs, weightData, getWeightStream, modelTopology } = artifacts;
  if (modelTopology instanceof ArrayBuffer) throw new Error(`${name}: the graph is binary, expected JSON`);
  const weightsManifest = [{ paths: [], weights: weightSpecs ?? [] }];
  if (!isGraphModel({ ...artifacts, weightsManifest })) throw new Error(`${name}: not a tfjs graph model`);
  inFile(name, () => MODEL({ ...artifacts, weightsManifest }, 'model'));
  const specs = (weightSpecs ?? []) as io.WeightsManifestEntry[];
  checkNames(name, specs);
  if (typeof getWeightStream === 'function') declaredBytes(name, specs);
  else checkWeightBytes(name, specs, weightData as io.WeightData | undefined);
}

/** Removes the prefix `model.` from field names, which means nothing to a reader of the file. */
function inFile(file: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new Error(
      `${file}: not a tfjs graph model: ${(error as Error).message.replace(/(^| )model\./, '$1')}`,
    );
  }
}

/** A model is an untrusted file: it must not name files elsewhere. */
function checkShardPath(file: string, path: string): void {
  const parts = path.split(/[/\\]/);
  if (path === '' || parts[0] === '' || parts.includes('..') || /[:?#\0]|%(?:2e|2f|5c)/i.test(path)) {
    throw new Error(`${file}: refused shard path ${quote(path)}, it must stay inside the directory`);
  }
}

function checkNames(file: string, weights: readonly io.WeightsManifestEntry[]): void {
  const names = new Set<string>();
  for (const { name } of weights) {
    if (names.has(name) || name in {}) {
      throw new Error(`${file}: weight ${quote(name)} is listed twice, or has a name that is reserved`);
    }
    names.add(name);
  }
}

/**
 * Returns the stored bytes of a group's weights; for strings, the minimum.
 * @throws {Error} if a dtype is unknown or there are too many bytes.
 */
export function declaredBytes(file: string, weights: readonly io.WeightsManifestEntry[]): number {
  const declared = weights.reduce((sum, weight) => sum + storedBytes(file, weight), 0);
  if (declared > MAX_WEIGHT_BYTES) {
    throw new Error(
      `${file}: the manifest declares ${declared} bytes of weights, expected at most ${MAX_WEIGHT_BYTES}`,
    );
  }
  return declared;
}

/** Returns the stored bytes of one weight; for strings, the minimum. */
export function storedBytes(
  file: string,
  { name, shape, dtype, quantization }: io.WeightsManifestEntry,
): number {
  const stored = quantization?.dtype ?? dtype;
  const bytes = STORED_BYTES.get(stored);
  if (!bytes) throw new Error(`${file}: weight ${quote(name)} has unknown dtype ${quote(stored)}`);
  return shape.reduce((product, extent) => product * extent, bytes);
}

/** @throws {Error} unless the shards of a group have the size that the manifest declares. */
export function checkStoredBytes(
  file: string,
  weights: readonly io.WeightsManifestEntry[],
  stored: number,
): void {
  const declared = declaredBytes(file, weights);
  const hasTexts = weights.some(({ dtype }) => dtype === 'string');
  if (hasTexts ? declared > stored : declared !== stored) {
    const least = hasTexts ? 'at least ' : '';
    throw new Error(
      `${file}: the manifest declares ${least}${declared} bytes of weights, there are ${stored}`,
    );
  }
}

function checkWeightBytes(
  file: string,
  weights: readonly io.WeightsManifestEntry[],
  data: io.WeightData | undefined,
): void {
  const buffers = data === undefined ? [] : Array.isArray(data) ? data : [data];
  if (!buffers.every((buffer) => buffer?.byteLength !== undefined)) {
    throw new Error(`${file}: the weights are not an ArrayBuffer`);
  }
  checkStoredBytes(
    file,
    weights,
    buffers.reduce((sum, { byteLength }) => sum + byteLength, 0),
  );
}

/** Returns the artifacts that tfjs loads, from a model.json and its weights. */
export function artifactsOf(
  model: ModelJson,
  weights: Pick<io.ModelArtifacts, 'weightData' | 'getWeightStream'>,
): io.ModelArtifacts {
  const { weightsManifest, trainingConfig: _, ...rest } = model;
  return { ...rest, weightSpecs: weightsManifest.flatMap((group) => group.weights), ...weights };
}

const SIGNATURE_ENTRIES: Check = (value, name) => {
  if (value === undefined || value === null) return;
  if (!isRecord(value)) refuse(value, name, 'an object');
  for (const [key, entry] of Object.entries(value)) {
    record({ name: optional(text(MAX_NAME)), tensorShape: optionalOrNull(SHAPE) })(
      entry,
      `${name}[${quote(key)}]`,
    );
  }
};

function checkSignature(value: unknown, name: string): void {
  if (value === undefined || value === null) return;
  record({ inputs: SIGNATURE_ENTRIES, outputs: SIGNATURE_ENTRIES })(value, name);
}

/** tfjs lets metadata override the signature. */
function checkOverrides(value: unknown, name: string): void {
  if (!isRecord(value)) return;
  checkSignature(value.signature, `${name}.signature`);
  const keys = optionalOrNull(listOf(text(MAX_NAME), 0, MAX_WEIGHTS));
  keys(value.structuredOutputKeys, `${name}.structuredOutputKeys`);
}
