/**
 * Which model a checkpoint claims to hold. GG-SSM has the trunk of GrootV with a stem of stride 1, and UIS-Mamba a part of it.
 * Names and shapes cannot tell the first two apart, so anything else that names the model is evidence.
 */
import { EXPORTED, type StemStride } from '../../../plugin/models/grootv_metadata.js';
import { ArchitectureError } from '../../errors.js';
import type { Checkpoint } from '../../pytorch/checkpoint.js';
import { quote } from '../../pytorch/errors.js';
import { readConfigText, stateDicts } from '../../pytorch/state_dict.js';
import type { Setting } from '../architecture.js';

const GG_SSM = /graph[-_ ]?ssm|gg[-_ ]?ssm/i;
const UIS_MAMBA = /uis[-_ ]?mamba/i;
const GROOTV = /groot|mamba[-_ ]?tree/i;

/** Where training scripts record which model they trained. */
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

/** Keys that hold nothing but the model type, so any unknown value means another model. */
const TYPES = new Set(['config.MODEL.TYPE', 'cfg.MODEL.TYPE']);

/** Modules that only the eye tracker of GG-SSM has. */
const EYE_TRACKER = /(^|\.)(temporal_ssm|spatial_backbone)\./;

type Model = 'GrootV' | 'GG-SSM' | 'UIS-Mamba' | 'another model';

interface Evidence {
  readonly model: Model;
  /** For example `config.MODEL.TYPE is "convolutional_graph_ssm"`. */
  readonly says: string;
  readonly from: 'checkpoint' | 'file name';
}

function modelNamed(text: string): Model | undefined {
  if (GG_SSM.test(text)) return 'GG-SSM';
  if (UIS_MAMBA.test(text)) return 'UIS-Mamba';
  return GROOTV.test(text) ? 'GrootV' : undefined;
}

/** Evidence of the model, in this order: the configuration, the metadata, parameter names, the file name. */
function* evidenceOf(checkpoint: Checkpoint): Generator<Evidence> {
  for (const path of PATHS) {
    const text = readConfigText(checkpoint, path);
    if (text === undefined) continue;
    const key = path.join('.');
    const says = `${key} ${text.length > 80 ? 'describes it' : `is ${quote(text)}`}`;
    const model = modelNamed(text) ?? (TYPES.has(key) ? 'another model' : undefined);
    if (model) yield { model, says, from: 'checkpoint' };
  }
  const { metadata, format } = checkpoint;
  // In a zip file the metadata only describes the container.
  for (const [key, text] of format === 'safetensors' ? metadata : []) {
    const model = key === EXPORTED.classNames ? undefined : modelNamed(text);
    if (model) yield { model, says: `the metadata of the file name it: ${quote(key)}`, from: 'checkpoint' };
  }
  for (const { entries } of stateDicts(checkpoint)) {
    const name = [...entries.keys()].find((name) => EYE_TRACKER.test(name));
    if (name !== undefined) yield { model: 'GG-SSM', says: `it has ${quote(name)}`, from: 'checkpoint' };
  }
  const file = checkpoint.name.split(/[\\/]/).at(-1) ?? '';
  const model = modelNamed(file);
  if (model && model !== 'UIS-Mamba') {
    yield { model, says: `the file is named ${quote(file)}`, from: 'file name' };
  }
}

/** @throws {ArchitectureError} if anything in the checkpoint names a model other than these */
export function refuseModelsBeside(...models: readonly Model[]): (checkpoint: Checkpoint) => void {
  return (checkpoint) => {
    const [found] = evidenceOf(checkpoint);
    if (found === undefined || models.includes(found.model)) return;
    throw new ArchitectureError(
      `this is not a GrootV checkpoint but one of ${found.model}: ${found.says}. Its tensors have names and shapes of ` +
        "GrootV's, and it computes something else, which cannot be converted",
    );
  };
}

/** The stride of the two convolutions of the stem, its source, and a warning if no model or both are named. */
export interface StemStrideChoice {
  readonly stride: StemStride;
  readonly setting: Setting;
  readonly warning?: string;
}

/**
 * The stride of the stem: the option, else what the checkpoint says of its model, else 2 with a warning.
 * @throws {ArchitectureError} if the option is neither 1 nor 2
 */
export function stemStrideOf(checkpoint: Checkpoint, option: StemStride | undefined): StemStrideChoice {
  const chosen = (stride: StemStride, from: Setting['from'], evidence?: string): StemStrideChoice => ({
    stride,
    setting: { name: 'stemStride', value: stride, from, ...(evidence !== undefined && { evidence }) },
  });
  if (option !== undefined) {
    if (option !== 1 && option !== 2) {
      throw new ArchitectureError(`stemStride is ${String(option)}, expected 1 (GG-SSM) or 2 (GrootV)`);
    }
    return chosen(option, 'options');
  }
  const exported = checkpoint.format === 'safetensors' && checkpoint.metadata.get(EXPORTED.stemStride);
  if (exported === '1' || exported === '2') {
    const evidence = `the metadata of the file say ${EXPORTED.stemStride} ${exported}`;
    return chosen(exported === '1' ? 1 : 2, 'checkpoint', evidence);
  }
  const [found, ...others] = evidenceOf(checkpoint);
  if (found) {
    const choice = chosen(found.model === 'GG-SSM' ? 1 : 2, found.from, found.says);
    if (found.from === 'checkpoint') {
      const other = others.find(
        ({ model, from }) =>
          from === 'checkpoint' && model !== found.model && (model === 'GrootV' || model === 'GG-SSM'),
      );
      if (!other) return choice;
      const warning =
        `${found.says}, so the stem has strides of ${choice.stride}; but ${other.says}. ` +
        `--stem-stride ${3 - choice.stride} where the second is right`;
      return { ...choice, warning };
    }
    const note = `--stem-stride ${3 - choice.stride} where the name is wrong`;
    return { ...choice, setting: { ...choice.setting, note } };
  }
  const archive = checkpoint.metadata.get('archive');
  const hint =
    archive !== undefined && modelNamed(archive) === 'GG-SSM'
      ? `; it was saved as ${quote(archive)}, a name of GG-SSM`
      : '';
  return {
    ...chosen(2, 'default'),
    warning:
      'nothing says whether the stem has strides of 2 (GrootV, which is taken) or of 1 (GG-SSM): their names and shapes ' +
      `are the same${hint}. --stem-stride 1 or 2 decides`,
  };
}
