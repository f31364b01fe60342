/** Tests adapters: their files, outputs compared with attached and merged adapters, dropout, errors. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { convertFolder } from '../../converters/architectures/grootl/folder.js';
import { filesDirectory, MemorySink, readAdapter } from '../../converters/index.js';
import { sourceDirectory } from '../../node/source_directory.js';
import { BACKENDS, type BackendName, onBackend } from '../../testing/backends.js';
import { fixturePath } from '../../testing/fixtures.js';
import { convertedFolder, loadPrefill, logitsOf, sinkFiles } from '../../testing/language_models.js';
import { maxDifference } from '../../testing/measure.js';
import { type Adapter, GrootL } from '../index.js';
import {
  addLora,
  answerLoss,
  type FineTuneOptions,
  fineTune,
  type LoraOptions,
  type TextExample,
  type TrainingState,
  textInputs,
  trainable,
} from './index.js';

const TINY = 'grootl/grootl_tiny';
const LORA = 'grootl/grootl_tiny_lora';
const ids = [5, 9, 300, 17, 44, 210, 8, 99, 12, 640];
const labels = ids.map((id, i) => (i < 6 ? -100 : id));

async function reference(): Promise<Adapter> {
  const directory = await sourceDirectory(fixturePath(LORA) as string);
  try {
    return await readAdapter(directory);
  } finally {
    await directory.close();
  }
}

async function withModel(
  body: (model: GrootL) => Promise<void>,
  backend: BackendName = 'wasm',
): Promise<number> {
  const { leaked } = await onBackend(backend, async () => {
    const model = await GrootL.load(sinkFiles(await convertedFolder(TINY)));
    await body(model);
    model.dispose();
  });
  return leaked;
}

t.test('an exported adapter is read, merged and attached as the one that it was', async (t) => {
  const leaked = await withModel(async (model) => {
    const initial = await reference();
    const lora = addLora(model, { initial });
    const files = new Map(Object.entries(await lora.files('tiny')));
    t.same(await readAdapter(filesDirectory(files)), initial, 'read back bit for bit');

    const tiny = await sourceDirectory(fixturePath(TINY) as string);
    const sink = new MemorySink();
    await convertFolder(tiny, sink, { lora: filesDirectory(files) });
    await tiny.close();
    const merged = await loadPrefill(sink);
    const expected = await loadPrefill(await convertedFolder(TINY, { lora: LORA }));
    for (const { module } of initial.modules) {
      const [given, of] = [merged, expected].map((each) => each.weights[`${module}.weight`][0].dataSync());
      t.equal(maxDifference(given, of), 0, `${module}: merged as the reference's`);
    }
    tf.dispose([merged.weights, expected.weights]);

    const inputs = textInputs({ ids, labels });
    const logits = lora.forward(inputs);
    await model.attach(lora);
    t.ok(model.hasAdapter);
    const difference = maxDifference(logits.dataSync(), logitsOf(model.model, ids, 6));
    t.ok(difference <= 1e-4, `trained as attached: ${difference}`);
    t.throws(() => addLora(model), { message: /an adapter is attached to the model; detach\(\) it first/ });
    t.throws(() => trainable(model), { message: /detach\(\) it first/ });
    lora.dispose();
    tf.dispose([logits, inputs]);
  });
  t.equal(leaked, 0);
});

t.test('at the start nothing changes, and A and B follow from the seed', async (t) => {
  const leaked = await withModel(async (model) => {
    const inputs = textInputs({ ids, labels });
    const before = logitsOf(model.model, ids, 6);
    const made = (options: LoraOptions) => {
      const lora = addLora(model, options);
      const values = [...lora.parameters.values()].map(({ variable }) => variable.dataSync());
      const logits = lora.forward(inputs);
      t.ok(maxDifference(logits.dataSync(), before) === 0, 'the logits of the model');
      t.ok(lora.variables.length === 20 && lora.parameters.size === 20);
      logits.dispose();
      lora.dispose();
      return values;
    };
    const distance = (a: LoraOptions, b: LoraOptions) => {
      const [first, second] = [made(a), made(b)];
      return Math.max(...first.map((values, i) => maxDifference(values, second[i])));
    };
    t.equal(distance({ seed: 3 }, { seed: 3 }), 0);
    t.ok(distance({ seed: 3 }, { seed: 4 }) > 0);
    inputs.input_ids.dispose();
    inputs.prompt_length.dispose();
  });
  t.equal(leaked, 0);
});

t.test('dropout', async (t) => {
  const leaked = await withModel(async (model) => {
    const lora = addLora(model, { initial: await reference(), dropout: 0.5, seed: 1 });
    const inputs = textInputs({ ids, labels });
    const loss = () => {
      const { value, logits, gradients } = lora.gradients(inputs, (logits) => answerLoss(logits, labels));
      const [given] = value.dataSync();
      tf.dispose([value, logits, gradients]);
      return given;
    };
    const state = lora.randomState();
    const first = loss();
    t.not(loss(), first, 'another draw');
    lora.restoreRandom(state);
    t.equal(loss(), first, 'and the first again');
    lora.dispose();
    tf.dispose(inputs);
  });
  t.equal(leaked, 0);
});

t.test('all parameters: the graph of a token sees what was learnt', async (t) => {
  const leaked = await withModel(async (model) => {
    const trained = trainable(model);
    t.equal(
      [...trained.parameters.keys()].filter((name) => /embeddings|lm_head/.test(name)).length,
      1,
      'a tied head is the embeddings',
    );
    const before = logitsOf(model.model, ids, 6);
    await fineTune(trained, [{ ids, labels }], { steps: 2, batch: 1, learningRate: 0.01 });
    const after = logitsOf(model.model, ids, 6);
    t.ok(maxDifference(after, before) > 0.1);
    const prompt = ids.slice(0, 6);
    const { tokens } = await model.generate(prompt, { maxTokens: 5 });
    const whole = logitsOf(model.model, [...prompt, ...tokens], 6);
    const greedy = tokens.map((_, i) => {
      const row = whole.subarray((5 + i) * 1024, (6 + i) * 1024);
      return row.indexOf(Math.max(...row));
    });
    t.same(tokens, greedy);
    trained.dispose();
    t.equal(maxDifference(logitsOf(model.model, ids, 6), after), 0, 'the model keeps it');
  });
  t.equal(leaked, 0);
});

for (const backend of BACKENDS) {
  t.test(`a training that ended in between continues to the same values on ${backend}`, async (t) => {
    const texts = [3, 4, 5].map(
      (length): TextExample => ({
        ids: ids.slice(0, length),
        labels: ids.slice(0, length).map((id, i) => (i === 0 ? -100 : id)),
      }),
    );
    const recipe = { steps: 2, batch: 2, learningRate: 0.01 };
    /**
     * Trains an adapter, or all parameters, from the start or from a state.
     * @returns all values
     */
    const run = async (isAdapter: boolean, options: FineTuneOptions = {}, changed = {}) => {
      const values: Float32Array[] = [];
      const leaked = await withModel(async (model) => {
        const learner = isAdapter
          ? addLora(model, { rank: 2, dropout: 0.2, targets: ['in_proj'] })
          : trainable(model);
        try {
          await fineTune(learner, texts, { ...recipe, ...changed }, options);
          for (const { variable } of learner.parameters.values())
            values.push((await variable.data()) as Float32Array);
        } finally {
          learner.dispose();
        }
      }, backend);
      t.equal(leaked, 0);
      return values;
    };
    for (const isAdapter of backend === 'cpu' ? [true] : [true, false]) {
      const whole = await run(isAdapter);
      const kept: TrainingState[] = [];
      const save = async (state: TrainingState) => {
        kept.push({ ...state, progress: JSON.parse(JSON.stringify(state.progress)) });
      };
      const controller = new AbortController();
      const onStep = ({ step }: { step: number }) => {
        // Within the second step: the random numbers of its first text are drawn again.
        if (step === 1) setTimeout(() => controller.abort(new Error('enough')));
      };
      const { signal } = controller;
      await t.rejects(run(isAdapter, { save, onStep, signal }), { message: 'enough' });
      const [resume] = kept;
      t.same([kept.length, resume.progress.step, resume.progress.position], [1, 1, { texts: 2 }]);
      t.same(await run(isAdapter, { resume, save, saveEvery: 1 }), whole);
      t.same(
        kept.map(({ progress }) => progress.step),
        [1, 2],
        'every step, and the end once',
      );
      await t.rejects(run(isAdapter, { resume }, { batch: 1 }), {
        message: /the state has learnt 2 texts in 1 steps, expected 1 a step/,
      });
    }
  });
}

t.test('a loss that is not finite ends the training, and nothing is changed by it', async (t) => {
  const leaked = await withModel(async (model) => {
    const lora = addLora(model, { rank: 2 });
    const [variable] = lora.variables;
    tf.tidy(() => variable.assign(tf.fill(variable.shape, Number.POSITIVE_INFINITY)));
    await t.rejects(fineTune(lora, [{ ids, labels }], { steps: 1, batch: 1, learningRate: 0.5 }), {
      message:
        /^step 1: the loss is NaN at a learning rate of 0.5; the first tensor that is not finite: the parameter base_model/,
    });
    lora.dispose();
  });
  t.equal(leaked, 0);
});

t.test('what makes no sense', async (t) => {
  await withModel(async (model) => {
    const tensors = tf.memory().numTensors;
    const initial = await reference();
    const [first, ...rest] = initial.modules;
    const wrong: [LoraOptions, RegExp][] = [
      [{ rank: 0 }, /^addLora: rank is 0, expected an integer from 1/],
      [{ alpha: Number.NaN }, /^addLora: alpha is NaN/],
      [{ targets: [] }, /^addLora: targets is an array of 0/],
      [{ targets: ['q_proj'] }, /^addLora: targets names "q_proj", expected .*in_proj/],
      [{ dropout: 1 }, /^addLora: dropout is 1/],
      [
        { initial: { modules: [{ ...first, isEmbedding: false }, ...rest] } },
        /expected \[r, 1024\] and \[64, r\] of an emb/,
      ],
    ];
    for (const [options, message] of wrong) {
      t.throws(() => addLora(model, options), { message });
      t.equal(tf.memory().numTensors, tensors, 'no tensor is left behind');
    }
  });
  const logits = tf.zeros([1, 3, 5]);
  t.throws(() => answerLoss(logits, [-100, -100, -100]), { message: /one that is learnt behind the first/ });
  t.throws(() => answerLoss(logits, [1, 2]), { message: /2 labels for 3 tokens/ });
  t.throws(() => textInputs({ ids: [1], labels: [1] }), { message: /expected as many, and 2 at least/ });
  logits.dispose();
});
