/**
 * The temporal mixers of GG-SSM: those of its eye tracker, and those of its forecasting code, which do not use the convolution.
 */
import type { ConformanceCase } from '../case.js';
import { type CaseFile, metadataOf } from './case_file.js';
import { windowCase } from './language_file.js';
import { contextLength, type MixerLayout, mixerCases } from './language_mixer.js';
import { mstCase } from './mst_file.js';

const TEMPORAL: MixerLayout = {
  op: 'GG-SSM mixer',
  input: 'input',
  outputs: ['output', 'output_true'],
  parent: 'parent',
  weights: 'tree_weights',
  inputGradients: ['grad_input_true'],
  prefix: 'state.',
  gradientOf: (parameter) => `grad.${parameter}_true`,
};

export function isTemporalMixerFile(file: CaseFile): boolean {
  return file.has('state.A_log', 'state.out_proj.weight', 'input', 'output');
}

export function temporalMixerFileCases(file: CaseFile): ConformanceCase[] {
  const unused = metadataOf<string[]>(file, 'unused');
  const convolves = !(Array.isArray(unused) && unused.includes('conv1d.weight'));
  const cases = mixerCases(file, { ...TEMPORAL, convolves });
  if (!file.has('pairs', 'tree_weights', 'edge_index')) return cases;
  const edges = file.ints('pairs', 2);
  const [, numVertices] = file.floats('input', 3).shape;
  return [
    windowCase(file.name, edges, numVertices, contextLength(file)),
    mstCase({
      name: file.name,
      weights: file.floats('tree_weights', 2),
      edges,
      numVertices,
      chosen: [{ from: 'edge_index', index: file.ints('edge_index', 2) }],
    }),
    ...cases,
  ];
}
