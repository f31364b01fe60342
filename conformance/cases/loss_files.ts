/** `tree_energy_loss_*` and `box_levelset_*` files: losses along trees, with all their steps and gradients. */
import { add, mean, type Tensor, tile } from '@tensorflow/tfjs-core';
import { type GridTreeOptions, gridTree } from '../../plugin/filters/grid_tree.js';
import { levelSetLossSteps } from '../../plugin/filters/level_set_loss.js';
import { parentAffinity } from '../../plugin/filters/scans.js';
import { treeEnergyLossSteps } from '../../plugin/filters/tree_energy_loss.js';
import { byPixel } from '../../plugin/filters/tree_filter.js';
import type { ConformanceCase } from '../case.js';
import { toTensor } from '../tfjs_backend.js';
import { type CaseFile, reshaped } from './case_file.js';
import {
  compositionCases,
  gridOf,
  inputMap,
  minimumTree,
  numberOf,
  stored,
  withoutRoots,
} from './composition_cases.js';

export function isTreeEnergyLossFile(file: CaseFile): boolean {
  return file.has('preds', 'low_feats', 'unlabeled', 'loss');
}

export function treeEnergyLossFileCases(file: CaseFile): ConformanceCase[] {
  const [sigma, weight] = [numberOf(file, 'sigma'), numberOf(file, 'weight')];
  const hasFeatures = file.has('high_feats');
  const inputs = {
    ...{ logits: inputMap(file, 'preds'), image: inputMap(file, 'low_feats') },
    ...(hasFeatures && { features: inputMap(file, 'high_feats') }),
  };
  const unlabeled = file.ints('unlabeled', 3);
  const options: GridTreeOptions = { metric: 'euclidean', mapping: 'plus_one' };
  const grid = gridOf(inputs.logits);
  const [lowDecay, highDecay] = ['low_tree.', ...(hasFeatures ? ['high_tree.'] : [])].map((tree) =>
    withoutRoots(file, tree),
  );
  const scalar = (name: string) => reshaped(file.tensor(name), []);
  return compositionCases({
    file,
    op: 'treeEnergyLoss',
    inputs,
    run: ({ logits, image, features }) => {
      const [loss, probabilities, resizedImage, resizedMask, filteredLow, filtered] = treeEnergyLossSteps(
        logits,
        image,
        toTensor(unlabeled),
        { features, sigma, weight },
      );
      const decay = (map: Tensor, of: { sigma?: number }) =>
        parentAffinity(byPixel(map), gridTree(map, options), of);
      return {
        ...{ loss, probabilities, resizedImage, resizedMask, filteredLow, filtered },
        lowDecay: lowDecay(decay(resizedImage, { sigma })),
        ...(features && { features, highDecay: highDecay(decay(features, {})) }),
      };
    },
    expected: [
      ...stored(file, 'loss', 'loss', scalar),
      ...stored(file, 'probabilities', 'prob'),
      ...stored(file, 'resizedImage', 'low_resized'),
      ...stored(file, 'resizedMask', 'roi_resized'),
      ...stored(file, 'filteredLow', 'filtered_low'),
      ...stored(file, 'filtered', 'filtered_high'),
      ...stored(file, 'lowDecay', 'low_decay', (name) => file.tensor(name, 3)),
      ...stored(file, 'highDecay', 'high_decay', (name) => file.tensor(name, 3)),
    ],
    trees: [
      minimumTree(file, 'low_tree.', grid, options, ({ resizedImage }) => resizedImage),
      ...(hasFeatures ? [minimumTree(file, 'high_tree.', grid, options, ({ features }) => features)] : []),
    ],
    gradient: {
      of: 'loss',
      expected: [...stored(file, 'logits', 'grad_preds'), ...stored(file, 'features', 'grad_high_feats')],
    },
  });
}

export function isLevelSetFile(file: CaseFile): boolean {
  return file.has('mask_logits', 'image', 'deep_features', 'box', 'loss_image');
}

export function levelSetFileCases(file: CaseFile): ConformanceCase[] {
  const sigma = numberOf(file, 'sigma');
  const mask = (name: string) => file.tensor(name, 3);
  const inputs = {
    ...{ maskLogits: file.input('mask_logits', 3), box: file.input('box', 3) },
    ...{ image: inputMap(file, 'image'), features: inputMap(file, 'deep_features') },
  };
  const [instances, ...grid] = inputs.maskLogits.shape as [number, number, number];
  const options: GridTreeOptions = { metric: 'euclidean', mapping: 'plus_one' };
  // One tree per instance, although all belong to the same image.
  const forEach = (map: Tensor) => (map.shape[0] === instances ? map : tile(map, [instances, 1, 1, 1]));
  return compositionCases({
    file,
    op: 'levelSetLoss',
    inputs,
    run: ({ maskLogits, box, image, features }) => {
      const [ofImage, ofFeatures, filteredImage, filteredFeatures] = levelSetLossSteps(
        maskLogits,
        box,
        image,
        features,
        { sigma },
      );
      const loss = mean(add(ofImage, ofFeatures));
      return { ...{ image, features, ofImage, ofFeatures, filteredImage, filteredFeatures }, loss };
    },
    expected: [
      ...stored(file, 'ofImage', 'loss_image', (name) => file.tensor(name, 1)),
      ...stored(file, 'ofFeatures', 'loss_features', (name) => file.tensor(name, 1)),
      ...stored(file, 'loss', 'loss', (name) => reshaped(file.tensor(name), [])),
      ...stored(file, 'filteredImage', 'filtered_image'),
      ...stored(file, 'filteredFeatures', 'filtered_features'),
    ],
    trees: [
      minimumTree(file, 'image_tree.', grid, options, ({ image }) => forEach(image)),
      minimumTree(file, 'feature_tree.', grid, options, ({ features }) => forEach(features)),
    ],
    gradient: {
      of: 'loss',
      expected: [
        ...stored(file, 'maskLogits', 'grad_mask_logits', mask),
        ...stored(file, 'features', 'grad_deep_features'),
      ],
    },
  });
}
