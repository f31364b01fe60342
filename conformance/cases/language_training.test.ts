/**
 * Mistakes in fine-tuning of the language model that must be detected. That the reference itself passes and leaves no tensor behind
 * is shown by ../default_run.test.ts, which runs it on wasm.
 */
import { readFileSync } from 'node:fs';
import {
  add,
  getKernel,
  keep,
  matMul,
  mul,
  registerKernel,
  reshape,
  type Tensor,
  type TensorInfo,
  unregisterKernel,
  zeros,
} from '@tensorflow/tfjs-core';
import t from 'tap';
import { onBackend } from '../../testing/backends.js';
import { fixturePath } from '../../testing/fixtures.js';
import { memorySource } from '../index.js';
import { readCaseFile } from './case_file.js';
import {
  followRun,
  type LanguageRecipe,
  type LanguageRun,
  languageRuns,
  RIGHT_RECIPE,
} from './language_training_file.js';

const SFT = 'training/grootl_sft_short.safetensors';
const TINY = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];

async function runs(): Promise<LanguageRun[]> {
  const paths = [SFT, ...TINY.map((file) => `grootl/grootl_tiny/${file}`)];
  const source = memorySource(
    new Map(paths.map((path) => [path, new Uint8Array(readFileSync(fixturePath(path) as string))])),
  );
  return languageRuns(await readCaseFile(await source.open(SFT), SFT), { source, paths, use: () => {} });
}

/** The reference with one change, for as many steps as it takes to detect it. */
const MISTAKES: Readonly<
  Record<
    string,
    { only?: LanguageRun['kind']; steps?: number; trees?: 'own'; recipe: Partial<LanguageRecipe> }
  >
> = {
  'no tree (1.3 times the chain)': {
    recipe: { parents: (parents) => parents.map((_, vertex) => vertex - 1) },
  },
  'context_len one more': {
    trees: 'own',
    recipe: { promptLength: (example) => RIGHT_RECIPE.promptLength(example) + 1 },
  },
  'padding fed, padding counted in context_len': { trees: 'own', recipe: { fed: (_, padded) => padded } },
  'loss over all answer tokens of the step': {
    recipe: {
      weights: (learnt) => {
        const all = learnt.reduce((sum, count) => sum + count, 0);
        return learnt.map((count) => count / all);
      },
    },
  },
  'no clipping': { steps: 2, recipe: { clip: Number.MAX_VALUE } },
  'eps 1e-6': { recipe: { epsilon: 1e-6 } },
  'scaling 1': { only: 'lora', recipe: { scaling: 1 } },
  'output head follows the adapter': {
    only: 'lora',
    recipe: {
      logits: (learner, inputs) => {
        const [hidden, logits] = learner.forward(inputs, ['hidden', 'logits']);
        const [a, b] = ['A', 'B'].map(
          (side) =>
            learner.parameters.get(`base_model.model.backbone.embeddings.lora_embedding_${side}`)
              ?.variable as Tensor,
        );
        const reduced = matMul(reshape(hidden, [-1, hidden.shape[2] as number]), b as never, false, true);
        return add(logits, reshape(mul(matMul(reduced, a as never), 2), logits.shape));
      },
    },
  },
};

const isLong = process.env.GROOTVL_LONG === '1';

t.test('mistakes are noticed', async (t) => {
  const context = { tolerance: 'float32', backend: 'wasm' } as const;
  await onBackend('wasm', async () => {
    // The adapter's run covers all mistakes; the other run has the same ones.
    for (const run of (await runs()).filter(({ kind }) => isLong || kind === 'lora')) {
      for (const [name, { only, steps = 1, trees = 'pinned', recipe }] of Object.entries(MISTAKES)) {
        if (only && only !== run.kind) continue;
        const { verdict } = await followRun(run, trees, context, steps, { ...RIGHT_RECIPE, ...recipe });
        t.equal(verdict, 'fail', `${run.kind}: ${name}`);
      }
      await withoutDecayGradients(async () => {
        const { verdict } = await followRun(run, 'pinned', context, 1);
        t.equal(verdict, 'fail', `${run.kind}: no gradient to the decays`);
      });
    }
  });
});

/** Runs with a kernel of scan gradients that omits those of the decays. */
async function withoutDecayGradients(body: () => Promise<void>): Promise<void> {
  const right = getKernel('TreeScanGradient', 'wasm');
  unregisterKernel(right.kernelName, right.backendName);
  registerKernel({
    ...right,
    kernelFunc: (call) => {
      const [dx, ddecay] = right.kernelFunc(call) as TensorInfo[];
      return [dx, keep(zeros(ddecay.shape))];
    },
  });
  try {
    await body();
  } finally {
    unregisterKernel(right.kernelName, right.backendName);
    registerKernel(right);
  }
}
