/** Exports weights for PyTorch. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { options as checkOptions, oneOf, record } from '../models/checks.js';
import { DETECTOR_METADATA, type DetectorMetadata } from '../models/detector_metadata.js';
import { EXPORTED, type GrootVMetadata, type GrootVScan, SCAN_NAMES } from '../models/grootv_metadata.js';
import { encodeSafetensors } from '../models/safetensors_writer.js';
import { SEGMENTER_METADATA, type SegmenterMetadata } from '../models/segmenter_metadata.js';
import { type UisMambaWeakening, WEAKENING_FIELDS } from '../models/uis_mamba_metadata.js';
import { toFloat16 } from '../rounding.js';
import { toTorch } from '../torch_layout.js';
import { boxSettingsOf } from './detection/detector_nodes.js';
import { detectorConfig, segmenterConfig, weakeningArguments } from './openmmlab_config.js';
import { graphOf, layoutsOf, Trainable, type TrainableModel } from './trainable.js';

export interface ExportOptions {
  /** Dtype of the values, default float32. float16 halves the file size; values are rounded to nearest. */
  readonly dtype?: 'float32' | 'float16';
}

/**
 * Exports the parameters of a model, with its running statistics, as a `.safetensors` file with the names and layouts of the
 * authors' PyTorch code. Converting it again gives the same graph and, for float32, the same weights. Class names, and
 * everything else that a conversion cannot infer from the weights, are in its `__metadata__`; for segmenters and detectors
 * as a configuration in the format of mmsegmentation or mmdetection.
 * @param model converted by this package, or returned by `trainable`; quantised weights are exported dequantised
 * @throws {Error} one line, if the weights lack their PyTorch layout, were computed from several parameters, or exceed the
 *   range of float16.
 */
export async function exportCheckpoint(
  model: TrainableModel | Trainable,
  options: ExportOptions = {},
): Promise<Uint8Array> {
  checkOptions(options, 'exportCheckpoint', { dtype: oneOf('float32', 'float16') });
  const isHalf = options.dtype === 'float16';
  const graph = graphOf(model instanceof Trainable ? model.model : model, 'exportCheckpoint');
  const tensors = [];
  for (const [name, layout] of layoutsOf('exportCheckpoint', graph)) {
    const values = toTorch((await graph.weights[name][0].data()) as Float32Array, layout);
    const { shape } = layout;
    tensors.push(
      isHalf
        ? ({ name, dtype: 'F16', shape, data: halves(name, values) } as const)
        : ({ name, dtype: 'F32', shape, data: values } as const),
    );
  }
  return encodeSafetensors(tensors, { format: 'pt', ...settingsOf(graph) });
}

function halves(name: string, values: Float32Array): Uint16Array {
  const bits = Uint16Array.from(values, toFloat16);
  const beyond = bits.findIndex((half, i) => (half & 0x7fff) === 0x7c00 && Number.isFinite(values[i]));
  if (beyond < 0) return bits;
  throw new Error(
    `exportCheckpoint: ${name} has the value ${values[beyond]}, beyond the range of float16 (65504)`,
  );
}

/** The settings that a conversion reads from a file in addition to its weights. */
function settingsOf(graph: GraphModel): Record<string, string> {
  const { metadata } = graph as { metadata?: unknown };
  const { architecture, preprocessing, classNames } = (metadata ?? {}) as Partial<GrootVMetadata>;
  const names = {
    ...jsonOf(EXPORTED.classNames, classNames),
    ...jsonOf(EXPORTED.scan, scanOf(architecture)),
  };
  const family: string | undefined = architecture?.family;
  const stemStride = architecture?.stemStride ?? (family === 'GrootV' ? 2 : undefined);
  if (family !== 'GrootV-UperNet' && family !== 'GrootV-MaskRCNN') {
    return {
      ...(preprocessing?.size && { [EXPORTED.imageSize]: String(preprocessing.size) }),
      ...(family === 'UIS-Mamba' && weakeningTexts(architecture)),
      ...(stemStride && { [EXPORTED.stemStride]: String(stemStride) }),
      ...names,
    };
  }
  const isSegmenter = family === 'GrootV-UperNet';
  (isSegmenter ? SEGMENTER_METADATA : DETECTOR_METADATA)(metadata, 'exportCheckpoint: the metadata');
  const { palette } = metadata as SegmenterMetadata | DetectorMetadata;
  return {
    [EXPORTED.config]: isSegmenter
      ? segmenterConfig(metadata as SegmenterMetadata)
      : detectorConfig(metadata as DetectorMetadata, boxSettingsOf(graph)),
    ...names,
    ...jsonOf(EXPORTED.palette, palette),
  };
}

/** The settings of UIS-Mamba that the converter reads. */
function weakeningTexts(architecture: unknown): Record<string, string> {
  record(WEAKENING_FIELDS)(architecture, 'exportCheckpoint: the metadata.architecture');
  const given = Object.entries(weakeningArguments(architecture as UisMambaWeakening));
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

/** The scan settings, if the model has any. */
function scanOf(architecture: GrootVScan = {}): GrootVScan | undefined {
  const said = SCAN_NAMES.filter((name) => architecture[name] !== undefined);
  return said.length === 0 ? undefined : Object.fromEntries(said.map((name) => [name, architecture[name]]));
}

/** An empty object if the value is unknown. */
function jsonOf(key: string, value: unknown): Record<string, string> {
  return value === null || value === undefined ? {} : { [key]: JSON.stringify(value) };
}
