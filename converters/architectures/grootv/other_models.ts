/**
 * Checkpoints of other models under the names and shapes of GrootV. GG-SSM has the same trunk and a stem of stride 1:
 * nothing in its tensors tells the two apart, so whatever else says so is heeded.
 */
import { ArchitectureError } from '../../errors.js';
import type { Checkpoint } from '../../pytorch/checkpoint.js';
import { quote } from '../../pytorch/errors.js';
import { readConfigText, stateDicts } from '../../pytorch/state_dict.js';

const GG_SSM = /graph[-_ ]?ssm|gg[-_ ]?ssm/i;
const UIS_MAMBA = /uis[-_ ]?mamba/i;
const GROOTV = /groot|mamba[-_ ]?tree/i;

/** Where training scripts write which model they trained. */
const PATHS: readonly (readonly string[])[] = [
  ['config', 'MODEL', 'TYPE'],
  ['config', 'MODEL', 'NAME'],
  ['cfg', 'MODEL', 'TYPE'],
  ['config', 'model', 'type'],
  ['config', 'model'],
  ['config', 'arch'],
  ['args', 'model'],
  ['args', 'arch'],
  ['hyper_parameters', 'model'],
  ['hyper_parameters', 'model_name'],
  ['hyper_parameters', 'arch'],
  ['hyper_parameters', 'backbone'],
  ['meta', 'config'],
  ['meta', 'cfg'],
  ['arch'],
  ['model_name'],
  ['model_type'],
];

/** Keys that hold the type of the model and nothing else, so that any other name is of another model. */
const TYPES = new Set(['config.MODEL.TYPE', 'cfg.MODEL.TYPE']);

/** What in a checkpoint names another model, and which; undefined when nothing does. */
function otherModel(checkpoint: Checkpoint): [evidence: string, model: string] | undefined {
  for (const path of PATHS) {
    const text = readConfigText(checkpoint, path);
    if (text === undefined) continue;
    const key = path.join('.');
    const named = `${key} ${text.length > 80 ? 'describes it' : `is ${quote(text)}`}`;
    if (GG_SSM.test(text)) return [named, 'GG-SSM'];
    if (UIS_MAMBA.test(text)) return [named, 'UIS-Mamba'];
    if (TYPES.has(key) && !GROOTV.test(text)) return [named, 'another model'];
  }
  for (const text of checkpoint.metadata.values()) {
    if (GG_SSM.test(text)) return ['the metadata of the file name it', 'GG-SSM'];
  }
  for (const { entries } of stateDicts(checkpoint)) {
    const name = [...entries.keys()].find((name) => /(^|\.)(temporal_ssm|spatial_backbone)\./.test(name));
    if (name !== undefined) return [`it has ${quote(name)}`, 'GG-SSM'];
  }
  const file = checkpoint.name.split(/[\\/]/).at(-1) ?? '';
  return GG_SSM.test(file) ? [`the file is named ${quote(file)}`, 'GG-SSM'] : undefined;
}

/** @throws {ArchitectureError} when something of the checkpoint says that it is of another model */
export function refuseOtherModels(checkpoint: Checkpoint): void {
  const [evidence, model] = otherModel(checkpoint) ?? [];
  if (model === undefined) return;
  throw new ArchitectureError(
    `this is no GrootV checkpoint but one of ${model}: ${evidence}. Its tensors have names and shapes of GrootV's, and ` +
      'it computes something else, which cannot be converted',
  );
}
