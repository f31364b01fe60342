/** Files of expected values for segmenters and detectors: finds the checkpoint, and creates the cases of each input. */
import type { ConvertOptions } from '../../converters/convert.js';
import { type ConformanceCase, type SkippedCase, skippedCase } from '../case.js';
import { type CaseFile, LayoutError } from './case_file.js';
import type { CaseFolder } from './case_folder.js';
import { detectionCases } from './detection_cases.js';
import { checkpointsOf } from './model_file.js';
import { CheckpointUnderTest } from './model_under_test.js';
import { segmentationCases } from './segmentation_cases.js';

const EXPECTED = /^(decode_logits(?:_first\d+)?|dets)\.(.+)$/;

export function isDenseFile(file: CaseFile): boolean {
  return file.names.some((name) => EXPECTED.test(name));
}

export function denseFileCases(file: CaseFile, folder: CaseFolder): ConformanceCase[] {
  const [path] = checkpointsOf(file, folder);
  const isDetector = file.names.some((name) => name.startsWith('dets.'));
  const op = isDetector ? 'Mask R-CNN' : 'UperNet';
  const skipped = (name: string, reason: string): SkippedCase => skippedCase(name, op, reason);
  if (path === undefined) {
    const named = file.metadata.get('weights') ?? 'it names none';
    return [skipped(file.name, `the checkpoint of ${file.path} is not there: ${named}`)];
  }
  folder.use(path);
  const tags = file.names.flatMap((name) => EXPECTED.exec(name)?.[2] ?? []);
  return [...new Set(tags)].flatMap((tag) => {
    try {
      const cases = isDetector ? detectionCases : segmentationCases;
      return cases(
        file,
        tag,
        (options?: ConvertOptions) => new CheckpointUnderTest(folder.source, path, options),
      );
    } catch (error) {
      if (error instanceof LayoutError) return [skipped(`${file.name} ${tag}`, error.message)];
      throw error;
    }
  });
}
