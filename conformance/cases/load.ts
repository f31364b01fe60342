/** Loads case files as cases. Every kind is recognised by its tensors; the file extension is not sufficient. */
import { type ConformanceCase, programCase, skippedCase } from '../case.js';
import { type CaseSource, stem } from '../source.js';
import { fail } from '../verdict.js';
import { affinityFileCases, isAffinityFile } from './affinity_file.js';
import { type CaseFile, LayoutError, readCaseFile } from './case_file.js';
import { type CaseFolder, readJson } from './case_folder.js';
import { denseFileCases, isDenseFile } from './dense_file.js';
import { denseOpsFileCases, isDenseOpsFile } from './dense_ops_file.js';
import { edgeWeightsFileCases, isEdgeWeightsFile } from './edge_weights_file.js';
import {
  groupedScanFileCases,
  isGroupedScanFile,
  isParentDissimilarityFile,
  parentDissimilarityFileCases,
} from './family_ops_file.js';
import {
  grootVScanFileCases,
  isGrootVScanFile,
  isLearnableTreeFilterFile,
  isTreeFilterFile,
  learnableTreeFilterFileCases,
  treeFilterFileCases,
} from './filter_files.js';
import { isLanguageFile, languageFileCases } from './language_file.js';
import {
  isLanguageGradientFile,
  isLanguageLogitsFile,
  isMergedFile,
  languageGradientCases,
  languageLogitsCases,
  mergedCases,
} from './language_model_file.js';
import { isTexts, textsCases } from './language_texts.js';
import { isLanguageTrainingFile, languageTrainingCases } from './language_training_file.js';
import {
  isLevelSetFile,
  isTreeEnergyLossFile,
  levelSetFileCases,
  treeEnergyLossFileCases,
} from './loss_files.js';
import { isModelFile, modelFileCases } from './model_file.js';
import { isMstFile, isTiesFile, mstFileCases, tiesFileCases } from './mst_file.js';
import { isPathScanFile, pathScanFileCases } from './path_scan_file.js';
import { isSequenceModelFile, sequenceModelFileCases } from './sequence_model_file.js';
import {
  isRandomTreeFile,
  isTreeMappingFile,
  randomTreeFileCases,
  treeMappingFileCases,
} from './spanning_tree_files.js';
import { isTemporalMixerFile, temporalMixerFileCases } from './temporal_mixer_file.js';
import {
  firstGradientsCases,
  isFirstGradientsFile,
  isTrainingFile,
  trainingFileCases,
} from './training_file.js';
import { isTreeScanFile, treeScanFileCases } from './tree_scan_file.js';
import { isTreeSsmFile, treeSsmFileCases } from './tree_ssm_file.js';
import { isUisMambaFile, uisMambaFileCases } from './uis_mamba_file.js';

/** A kind of file, and how to create its cases. To add a kind, add a file in this folder and a line here. */
interface FileKind {
  readonly is: (file: CaseFile, folder: CaseFolder) => boolean;
  readonly cases: (file: CaseFile, folder: CaseFolder) => ConformanceCase[] | Promise<ConformanceCase[]>;
}

const KINDS: readonly FileKind[] = [
  { is: isTreeFilterFile, cases: treeFilterFileCases },
  { is: isLearnableTreeFilterFile, cases: learnableTreeFilterFileCases },
  { is: isTreeEnergyLossFile, cases: treeEnergyLossFileCases },
  { is: isLevelSetFile, cases: levelSetFileCases },
  { is: isGrootVScanFile, cases: grootVScanFileCases },
  { is: isTreeSsmFile, cases: treeSsmFileCases },
  { is: isGroupedScanFile, cases: groupedScanFileCases },
  { is: isParentDissimilarityFile, cases: parentDissimilarityFileCases },
  { is: isTreeScanFile, cases: treeScanFileCases },
  { is: isLanguageFile, cases: languageFileCases },
  { is: isTemporalMixerFile, cases: temporalMixerFileCases },
  { is: isPathScanFile, cases: pathScanFileCases },
  { is: isAffinityFile, cases: affinityFileCases },
  { is: isRandomTreeFile, cases: randomTreeFileCases },
  { is: isTreeMappingFile, cases: treeMappingFileCases },
  { is: isSequenceModelFile, cases: sequenceModelFileCases },
  { is: isMstFile, cases: mstFileCases },
  { is: isTiesFile, cases: tiesFileCases },
  { is: isEdgeWeightsFile, cases: edgeWeightsFileCases },
  { is: isDenseOpsFile, cases: denseOpsFileCases },
  { is: isDenseFile, cases: denseFileCases },
  { is: isTrainingFile, cases: trainingFileCases },
  { is: isFirstGradientsFile, cases: firstGradientsCases },
  { is: isUisMambaFile, cases: uisMambaFileCases },
  { is: isModelFile, cases: modelFileCases },
  { is: isLanguageLogitsFile, cases: languageLogitsCases },
  { is: isLanguageTrainingFile, cases: languageTrainingCases },
  { is: isLanguageGradientFile, cases: languageGradientCases },
  { is: isMergedFile, cases: mergedCases },
];

const CHECKPOINT = /\.(pth|pt|bin|ckpt)$/i;

/** Whether a file of this name can hold cases or weights. (JSON documents only accompany such files.) */
export function isCasePath(path: string): boolean {
  return /\.safetensors$/i.test(path) || CHECKPOINT.test(path);
}

/**
 * Reads every case file of a source. Files that are not cases are skipped and broken ones fail, with the reason; other files
 * (other JSON, text, images) are not mentioned.
 */
export async function loadCases(source: CaseSource): Promise<ConformanceCase[]> {
  const paths = [...(await source.list())].sort();
  const used = new Set<string>();
  const folder: CaseFolder = { source, paths, use: (path) => used.add(path) };
  const cases: ConformanceCase[] = [];
  const unknown = new Map<string, string>();
  for (const path of paths) {
    try {
      if (path.endsWith('/')) {
        await source.open(path); // a folder that could not be listed: opening it gives the reason
      } else if (/\.safetensors$/i.test(path)) {
        const file = await readCaseFile(await source.open(path), path);
        const kind = KINDS.find(({ is }) => is(file, folder));
        if (kind) cases.push(...(await kind.cases(file, folder)));
        else unknown.set(path, `no case that this suite knows: its tensors are ${some(file.names)}`);
      } else if (/\.json$/i.test(path)) {
        const json = await readJson(folder, path);
        if (json === undefined) unknown.set(path, 'no JSON document, though its name says so');
        else if (isTexts(json)) cases.push(...(await textsCases(json, path, folder)));
      } else if (CHECKPOINT.test(path)) {
        unknown.set(path, 'a checkpoint that no file with expected values names');
      }
    } catch (error) {
      cases.push(unusable(path, error as Error));
    }
  }
  // Only now is it known which of them belong to a model.
  for (const [path, reason] of unknown) if (!used.has(path)) cases.push(skipped(path, reason));
  return cases;
}

/** An unusable layout is skipped; a file that is damaged, inconsistent or unreadable fails. */
function unusable(path: string, error: Error): ConformanceCase {
  const reason = error.message.split('\n')[0];
  if (error instanceof LayoutError) return skipped(path, reason);
  // An error that the reader of this kind of file does not handle.
  const isRaw = error instanceof TypeError || error instanceof RangeError;
  const said = isRaw ? `${path} is laid out otherwise than the names of its tensors say` : reason;
  return programCase(stem(path) || path, 'File', async () => fail(said));
}

function skipped(path: string, reason: string): ConformanceCase {
  return skippedCase(path, 'File', reason);
}

function some(names: readonly string[]): string {
  return names.slice(0, 4).join(', ') + (names.length > 4 ? ` and ${names.length - 4} more` : '') || 'none';
}
