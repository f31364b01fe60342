/** The trained digit model: many images, two sets of weights, trees of the first images. */
import type { ConvertOptions } from '../../converters/convert.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { pinnedModelBound, UNEXPLAINED_DRIFT, UNKNOWN_TREES_MEDIAN } from '../bounds.js';
import { type CaseTensor, type ConformanceCase, type ProgramCase, programCase } from '../case.js';
import type { Judgement } from '../judgement.js';
import { combine, comparison, fail, judge, show } from '../verdict.js';
import type { CaseFile } from './case_file.js';
import { explainDrift } from './explain_drift.js';
import { blockTrees, firstItems, imageOf, normalizedDigits } from './model_inputs.js';
import { ownTreesCase, pinnedTreesCase, sameClass } from './model_trees.js';
import type { CheckpointUnderTest } from './model_under_test.js';
import { quantizedGrootVCase } from './quantized_model.js';
import { contradiction } from './tree_cases.js';

export function digitCases(
  file: CaseFile,
  name: string,
  open: (options: ConvertOptions) => CheckpointUnderTest,
): ConformanceCase[] {
  const images = normalizedDigits(file.tensor('images_u8', 3));
  const checkpoint = open({ weights: 'model' });
  const cases: ConformanceCase[] = [];
  const match = file.names
    .map((tensor) => /^trees\.(first(\d+))\./.exec(tensor))
    .find((found) => found !== null);
  if (match && file.has(`input_${match[1]}`)) {
    const [, first, digits] = match;
    const input = imageOf(file.path, `input_${first}`, file.input(`input_${first}`));
    const common = {
      name: `${name} ${first}`,
      checkpoint,
      input,
      expected: [['logits', firstItems(file.floats('logits_model', 2), Number(digits))]] as const,
      trees: blockTrees(file, `trees.${first}.`),
      problem: contradiction(`input_${first}`, input.values, firstItems(images, Number(digits)).values, {
        relative: 1e-5,
        absolute: 1e-5,
      }),
    };
    const int8 = open({ weights: 'model', quantize: 'int8' });
    cases.push(
      pinnedTreesCase(common),
      quantizedGrootVCase({ ...common, checkpoint: int8 }),
      ownTreesCase(common),
    );
  }
  cases.push(unknownTreesCase(`${name} model`, checkpoint, images, file.floats('logits_model', 2)));
  if (file.has('logits_model_ema')) {
    const logits = file.floats('logits_model_ema', 2);
    cases.push(unknownTreesCase(`${name} model_ema`, open({ weights: 'model_ema' }), images, logits));
  }
  return cases;
}

/**
 * Images whose reference trees are unknown. Half of them must agree within 1e-3, and all in their class; a difference larger than
 * the flip of a light edge must be explained by near ties, image by image.
 */
function unknownTreesCase(
  name: string,
  checkpoint: CheckpointUnderTest,
  images: CaseTensor,
  logits: CaseTensor,
): ProgramCase {
  return programCase(name, 'GrootV, own trees', ({ tolerance }) =>
    checkpoint.use(async (model) => {
      const results = await model.run({ normalized: images }, ['logits']);
      const given = itemsOf(results.get('logits') as CaseTensor);
      const imageRows = itemsOf(images) as Float32Array[];
      const rounding = pinnedModelBound(tolerance);
      const judgements: Judgement[] = [];
      for (const [b, expected] of itemsOf(logits).entries()) {
        const judgement = judge([comparison(`logits of image ${b}`, given[b], expected, UNEXPLAINED_DRIFT)]);
        const drift = judgement.figures!.maxAbs;
        if (!sameClass(given[b], expected, rounding.absolute)) {
          judgements.push(fail(`image ${b}: another class`));
        } else if (drift <= rounding.absolute) {
          judgements.push(judgement);
        } else if (judgement.verdict === 'pass') {
          const reason = `image ${b}: logits drift by ${show(drift)}, as a flipped near tie does`;
          judgements.push({ ...judgement, verdict: 'tie-flip', reason });
        } else {
          const image = {
            dtype: 'float32',
            shape: [1, ...images.shape.slice(1)],
            values: imageRows[b],
          } as const;
          const enough = UNEXPLAINED_DRIFT.absolute;
          const explained = await explainDrift(model, image, expected, model.blocks, enough);
          const how = `${explained.swaps} near ties leave ${show(explained.drift)} of a drift of ${show(drift)}`;
          judgements.push(
            explained.drift <= enough
              ? { ...judgement, verdict: 'tie-flip', reason: `image ${b}: ${how}` }
              : { ...judgement, reason: `${judgement.reason}; ${how}` },
          );
        }
      }
      const drifts = judgements.map(({ figures }) => figures?.maxAbs ?? 0).sort((a, b) => a - b);
      const median = drifts[Math.floor(drifts.length / 2)];
      if (median > UNKNOWN_TREES_MEDIAN)
        judgements.push(fail(`the median drift of an image is ${show(median)}`));
      return summarized(combine(judgements), judgements);
    }),
  );
}

function summarized(judgement: Judgement, all: readonly Judgement[]): Judgement {
  if (judgement.verdict !== 'tie-flip') return judgement;
  const flips = all.filter(({ verdict }) => verdict === 'tie-flip').length;
  return { ...judgement, reason: `${flips} of ${all.length} images drift by near ties; ${judgement.reason}` };
}
