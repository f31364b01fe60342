/** Reads a model's description without its weights. */
import { basename } from 'node:path';
import type { Check } from '../../plugin/models/checks.js';
import { DETECTOR_METADATA } from '../../plugin/models/detector_metadata.js';
import { GROOTV_METADATA } from '../../plugin/models/grootv_metadata.js';
import { readMetadata } from '../../plugin/models/metadata.js';
import { parseModelJson } from '../../plugin/models/model_json.js';
import { SEGMENTER_METADATA } from '../../plugin/models/segmenter_metadata.js';
import { modelFolder } from '../model_source.js';

/** Model families that can be evaluated. */
const FAMILIES = {
  classifier: { family: 'GrootV', check: GROOTV_METADATA },
  segmenter: { family: 'GrootV-UperNet', check: SEGMENTER_METADATA },
  detector: { family: 'GrootV-MaskRCNN', check: DETECTOR_METADATA },
} as const satisfies Record<string, { family: string; check: Check }>;

export type ModelRole = keyof typeof FAMILIES;

export interface ModelDescription {
  readonly classes: number;
  /** Class names, if the model has them. */
  readonly names: readonly string[] | null;
}

/**
 * The classes of a model.
 * @param path a folder with a model, its model.json, or the URL of either
 * @param command for errors
 * @throws {Error} one line, if it cannot be read, is of another family, or has no classes
 */
export async function describeModel(
  path: string,
  role: ModelRole,
  command = 'evaluate',
): Promise<ModelDescription> {
  const folder = await modelFolder(path);
  const origin = folder.origin ?? path;
  const name = basename(origin.replace(/[?#].*$/, ''));
  const json = await folder.readText(name);
  if (json === undefined) throw new Error(`${origin}: there is no such file`);
  const { userDefinedMetadata } = parseModelJson(json, origin);
  const { family, check } = FAMILIES[role];
  const found = { metadata: userDefinedMetadata, origin };
  const { architecture, classNames } = readMetadata<{
    architecture: { classes: number };
    classNames: readonly string[] | null;
  }>(command, found, family, check);
  if (architecture.classes === 0) throw new Error(`${origin}: the model has no classification head`);
  return { classes: architecture.classes, names: classNames };
}
