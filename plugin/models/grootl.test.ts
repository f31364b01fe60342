/** Tests GrootL against the authors' code: texts, scores, perplexities; and its handling of options and errors. */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import t, { type Test } from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { fixturePath } from '../../testing/fixtures.js';
import { convertedFolder, sinkFiles } from '../../testing/language_models.js';
import { boruvkaMST, GrootL, memoryFolder, windowGraph } from '../index.js';
import { TextStream } from './text_stream.js';

/** Largest differences of a sum of log-probabilities, and of a single one. */
const SUM = 1e-3;
const SINGLE = 2e-4;

const TINY = 'grootl/grootl_tiny';
const expected = JSON.parse(readFileSync(fixturePath(`${TINY}/expected.json`) as string, 'utf8'));

/** Runs `body` with the tiny model on a backend, and checks that no tensor is leaked. */
async function withModel(
  t: Test,
  backend: (typeof BACKENDS)[number],
  body: (model: GrootL) => Promise<void>,
  scan: 'tree' | 'chain' = 'tree',
): Promise<void> {
  const { leaked } = await onBackend(backend, async () => {
    const model = await GrootL.load(sinkFiles(await convertedFolder(TINY, { scan })));
    await body(model);
    model.dispose();
  });
  t.equal(leaked, 0, 'no tensor is left behind');
}

t.test('the tokenizer', async (t) => {
  await withModel(t, 'cpu', async ({ tokenizer }) => {
    for (const { text, ids, decoded } of expected.tokenizer) {
      t.same(tokenizer?.encode(text), ids, `ids of ${JSON.stringify(text)}`);
      t.equal(tokenizer?.decode(ids), decoded, 'and back');
    }
  });
});

// On `cpu` the conformance suite runs the same texts.
for (const backend of BACKENDS.filter((name) => name !== 'cpu')) {
  t.test(`greedy texts on ${backend}`, async (t) => {
    for (const scan of ['tree', 'chain'] as const) {
      await withModel(
        t,
        backend,
        async (model) => {
          for (const greedy of expected.greedy) {
            const text = await model.generate(greedy.prompt);
            t.same(text.promptTokens, greedy.prompt_ids);
            t.same(text.tokens, greedy[`${scan}_ids`], `${scan}: ${JSON.stringify(greedy.prompt)}`);
            t.equal(text.text, greedy[`${scan}_text`]);
          }
        },
        scan,
      );
    }
  });

  t.test(`a stream on ${backend}: pieces, log-probabilities, the end`, async (t) => {
    await withModel(t, backend, async (model) => {
      for (const greedy of expected.greedy) {
        const pieces: string[] = [];
        const logprobs: number[] = [];
        const stream = model.stream(greedy.prompt);
        let next = await stream.next();
        for (; !next.done; next = await stream.next()) {
          pieces.push(next.value.text);
          logprobs.push(next.value.logprob);
        }
        t.equal(pieces.join(''), greedy.tree_text);
        t.equal(next.value.stop, greedy.stopped_at_eos ? 'eos' : 'length');
        t.ok(close(logprobs, greedy.logprobs, SINGLE), `log-probabilities within ${SINGLE}`);
      }
    });
  });

  t.test(`scores on ${backend}, alone and together`, async (t) => {
    for (const scan of ['tree', 'chain'] as const) {
      await withModel(
        t,
        backend,
        async (model) => {
          const together = await model.scoreAll(expected.loglikelihood);
          for (const [i, wanted] of expected.loglikelihood.entries()) {
            const alone = await model.score(wanted.context, wanted.continuation);
            for (const [how, score] of Object.entries({ alone, together: together[i] })) {
              const difference = Math.abs(score.logprob - wanted[`${scan}_sum_logprob`]);
              t.ok(difference <= SUM, `${scan} ${i} ${how}: ${difference}`);
              t.equal(score.isGreedy, wanted[`${scan}_is_greedy`]);
              t.same(
                score.tokens.map(({ id }) => id),
                wanted.continuation_ids,
              );
            }
          }
        },
        scan,
      );
    }
  });

  t.test(`perplexities on ${backend}`, async (t) => {
    const { text, window, context_len: promptLength, rolling, ...totals } = expected.perplexity;
    for (const scan of ['tree', 'chain'] as const) {
      await withModel(
        t,
        backend,
        async (model) => {
          const wanted = totals[scan];
          const measured = await model.perplexity(text, { window, promptLength });
          t.equal(measured.scoredTokens, wanted.scored_tokens);
          t.ok(
            Math.abs(measured.logprob + wanted.total_nll) <= SUM * totals.windows,
            `${scan}: ${measured.logprob}`,
          );
          t.ok(Math.abs(measured.perplexity - wanted.perplexity) <= 1e-3, `${scan}: ${measured.perplexity}`);
          const ids = model.tokenizer?.encode(text).slice(0, rolling.tokens) ?? [];
          const whole = await model.perplexity(ids);
          const key = scan === 'tree' ? 'sum_logprob' : 'plain_chain_sum_logprob';
          t.ok(Math.abs(whole.logprob - rolling[key]) <= SUM, `${scan}, rolling: ${whole.logprob}`);
        },
        scan,
      );
    }
  });
}

t.test('sampling', async (t) => {
  await withModel(t, 'wasm', async (model) => {
    const options = { temperature: 1, maxTokens: 12 };
    const [a, b, other] = [
      await model.generate('The maintainer', { ...options, seed: 1 }),
      await model.generate('The maintainer', { ...options, seed: 1 }),
      await model.generate('The maintainer', { ...options, seed: 2 }),
    ];
    t.same(a.tokens, b.tokens, 'a seed repeats a text');
    t.notSame(a.tokens, other.tokens);
    const greedy = await model.generate('The maintainer', { maxTokens: 12 });
    for (const narrow of [{ topK: 1 }, { topP: 1e-9 }, { temperature: 1e-4 }]) {
      const text = await model.generate('The maintainer', { ...options, ...narrow });
      t.same(text.tokens, greedy.tokens, JSON.stringify(narrow));
    }
  });
});

t.test('where a text ends', async (t) => {
  await withModel(t, 'wasm', async (model) => {
    const [{ prompt, tree_text }] = expected.greedy;
    const [, words] = /^(.*) patents/.exec(tree_text) ?? [];
    const pieces: string[] = [];
    const stream = model.stream(prompt, { stop: ['never there', ' patents or'] });
    let next = await stream.next();
    for (; !next.done; next = await stream.next()) pieces.push(next.value.text);
    t.equal(next.value.stop, 'stop');
    t.equal(next.value.text, words, 'a stop string is left out');
    t.equal(pieces.join(''), words, 'and was never streamed in part');
    t.equal((await model.generate(prompt, { maxTokens: 1 })).tokens.length, 1);

    const controller = new AbortController();
    const aborted = model.stream(prompt, { signal: controller.signal });
    await aborted.next();
    controller.abort(new Error('enough'));
    await t.rejects(aborted.next(), { message: 'enough' });
    const left = model.stream(prompt);
    await left.next();
    await left.return({} as never);
  });
});

t.test('prompts without a tokenizer, empty prompts', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    const files = sinkFiles(await convertedFolder(TINY));
    const without = (missing: string) => ({
      load: () =>
        Promise.resolve(
          (files.load as () => tf.io.ModelArtifacts | Promise<tf.io.ModelArtifacts>).call(files),
        ),
      readText: async (file: string) => (file === missing ? undefined : files.readText(file)),
    });
    const model = await GrootL.load(without('tokenizer.json'));
    const [greedy] = expected.greedy;
    const { tokens, text } = await model.generate(greedy.prompt_ids, { maxTokens: 3 });
    t.same([tokens, text], [greedy.tree_ids.slice(0, 3), '']);
    await t.rejects(model.generate('text'), { message: /GrootL.generate: the model has no tokenizer/ });
    await t.rejects(model.score('a', 'b'), { message: /GrootL.score: the model has no tokenizer/ });
    await t.rejects(model.generate([5, 1024]), { message: /token id 1024, expected ids from 0 to 1023/ });
    await t.rejects(model.generate([5], { maxTokens: 0 }), { message: /maxTokens is 0/ });
    await t.rejects(model.generate([5], { temperature: -1 }), { message: /temperature is -1/ });
    await t.rejects(model.generate([5], { topK: 0 }), { message: /topK is 0/ });
    await t.rejects(model.generate([5], { topP: 2 }), { message: /topP is 2/ });
    await t.rejects(model.perplexity([5, 6], { window: 8 }), { message: /2 tokens, expected at least 8/ });
    t.equal((await model.generate([], { maxTokens: 1 })).promptTokens[0], 0, 'a text begins with token 0');
    model.dispose();
    await t.rejects(GrootL.load(without('decode.json')), {
      message: /no decode.json/,
    });
  });
  t.equal(leaked, 0);
});

t.test('a view of a prompt: its tokens, and the tree of a layer over them', async (t) => {
  await withModel(t, 'wasm', async (model) => {
    const [{ prompt, prompt_ids: ids }] = expected.greedy;
    const { tokens, tree } = await model.view(prompt);
    t.same(
      tokens.map(({ id }) => id),
      ids,
    );
    t.equal(tokens.map(({ text }) => text).join(''), prompt);
    const second = await model.view(ids, { layer: 1 });
    t.same(second.tokens, tokens, 'of ids');
    for (const [layer, given] of [tree, second.tree].entries()) {
      const [last, edges] = [ids.length - 1, windowGraph(ids.length)];
      const made = tf.tidy(() => {
        const input_ids = tf.tensor2d([ids], undefined, 'int32');
        const prompt_length = tf.scalar(ids.length, 'int32');
        const weights = model.model.execute({ input_ids, prompt_length }, `layers_${layer}/edge_weights`);
        const { order, parent } = boruvkaMST(weights as tf.Tensor, edges, { numVertices: ids.length });
        return [order, parent].map((each) => Array.from(each.dataSync()));
      });
      edges.dispose();
      t.same(
        [...(given?.order ?? [])],
        made[0].map((vertex) => last - vertex),
        `layer ${layer}`,
      );
      t.same([...(given?.parent ?? [])], made[1]);
      t.equal(given?.order[0], last, 'the last token is the root');
    }
    t.notSame(tree, second.tree, 'layers have trees of their own');
    const reason = new Error('enough');
    await t.rejects(model.view(prompt, { signal: AbortSignal.abort(reason) }), reason);
    const { layers } = model.metadata.architecture;
    await t.rejects(model.view(prompt, { layer: layers }), {
      message: `GrootL.view: layer is ${layers}, expected an integer from 0 to ${layers - 1}`,
    });
    await t.rejects(model.view([5000]), { message: /^GrootL\.view: the prompt has the token id 5000/ });
    t.equal((await model.view([7])).tree?.order.length, 1, 'one token');
  });
  await withModel(
    t,
    'cpu',
    async (model) => {
      const { tokens, tree } = await model.view('The maintainer');
      t.equal(tokens.map(({ text }) => text).join(''), 'The maintainer');
      t.equal(tree, undefined, 'a chain has no tree');
    },
    'chain',
  );
  const { leaked } = await onBackend('cpu', async () => {
    const sink = await convertedFolder(TINY);
    const model = await GrootL.load(
      memoryFolder(new Map([...sink.files].filter(([file]) => !/token/.test(file)))),
    );
    t.same((await model.view([5, 6])).tokens, [
      { id: 5, text: '#5' },
      { id: 6, text: '#6' },
    ]);
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('characters of several tokens wait until they are whole', async (t) => {
  const decode = (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids));
  const stream = new TextStream(decode, []);
  t.equal(
    stream.push(0xc3, () => false),
    '',
  );
  t.equal(
    stream.push(0xa9, () => false),
    'é',
  );
  t.equal(
    stream.push(0xc3, () => true),
    '\ufffd',
    'at the end what is there',
  );
});

t.test('public functions say what they were given and what they expect', async (t) => {
  await withModel(t, 'cpu', async (model) => {
    const call = model as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
    for (const [method, given, message] of [
      [
        'generate',
        [undefined],
        /^GrootL.generate: the prompt is undefined, expected a text or an array of token ids/,
      ],
      ['generate', [{ text: 'a' }], /the prompt is an object/],
      ['generate', [['a']], /the prompt has the token id "a", expected ids from 0 to 1023/],
      ['generate', ['a', null], /options is null, expected an object/],
      ['generate', ['a', { stop: 5 }], /stop is 5, expected a text or an array of texts/],
      ['generate', ['a', { stop: [5] }], /stop\[0\] is 5, expected a text/],
      ['generate', ['a', { maxTokens: '5' }], /maxTokens is "5", expected an integer of at least 1/],
      ['generate', ['a', { temperature: 'hot' }], /temperature is "hot", expected a number of at least 0/],
      ['generate', ['a', { topK: 0.5 }], /topK is 0.5/],
      ['generate', ['a', { topP: 0 }], /topP is 0, expected a number above 0, up to 1/],
      ['generate', ['a', { seed: 'x' }], /seed is "x", expected an integer/],
      ['generate', ['a', { signal: true }], /signal is true, expected an AbortSignal/],
      ['score', [undefined, 'a'], /^GrootL.score: the context is undefined, expected a text/],
      ['score', ['a'], /^GrootL.score: the continuation is undefined/],
      ['scoreAll', ['a'], /^GrootL.scoreAll: requests is "a", expected an array/],
      ['scoreAll', [[{ context: 'a' }]], /requests\[0\].continuation is undefined/],
      ['perplexity', [undefined], /^GrootL.perplexity: the text is undefined/],
      ['perplexity', ['a', { window: 1 }], /window is 1, expected an integer of at least 2/],
      ['perplexity', [[5000]], /token id 5000, expected ids from 0 to 1023/],
    ] as const) {
      await t.rejects(call[method](...given), { message }, `${method}(${JSON.stringify(given)})`);
    }
    const [{ prompt, tree_text }] = expected.greedy;
    const [words] = tree_text.split(' patents');
    t.equal((await model.generate(prompt, { stop: ' patents' })).text, words, 'one stop string');
  });
});

function close(a: readonly number[], b: readonly number[], bound: number): boolean {
  return a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) <= bound);
}
