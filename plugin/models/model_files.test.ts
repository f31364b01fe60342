/** Tests the sources that a model can be loaded from, and that it is saved with its current weights. */
import * as tf from '@tensorflow/tfjs';
import t, { type Test } from 'tap';
import { MemorySink } from '../../converters/index.js';
import { onBackend } from '../../testing/backends.js';
import { convertedFolder, sinkFiles } from '../../testing/language_models.js';
import { loadConverted } from '../../testing/models.js';
import {
  GrootL,
  GrootV,
  httpFolder,
  type LoadOptions,
  type LoadProgress,
  memoryFolder,
  readFolder,
} from '../index.js';

const PROMPT = [10, 20, 30];

const vision = async () => {
  const { model, sink } = await loadConverted('grootv/grootv_tiny_fp16.pth', { shardBytes: 4096 });
  model.dispose();
  return sink;
};
const language = () => convertedFolder('grootl/grootl_tiny', { shardBytes: 65_536 });

/** A server with the files of a sink at /model/; `answer` may answer before it. */
function serve(
  sink: MemorySink,
  answer: (path: string, init?: RequestInit) => Response | undefined = () => undefined,
) {
  const requests: { url: string; headers: Headers }[] = [];
  const fetch = async (url: unknown, init?: RequestInit): Promise<Response> => {
    requests.push({ url: String(url), headers: new Headers(init?.headers) });
    init?.signal?.throwIfAborted();
    const [, path = ''] = /^https:\/\/host\.test\/model\/([^?]*)/.exec(String(url)) ?? [];
    const bytes = sink.files.get(path);
    return answer(path, init) ?? (bytes ? new Response(bytes.slice()) : new Response('', { status: 404 }));
  };
  return { fetch: fetch as typeof globalThis.fetch, requests };
}

const blobOf = (bytes: Uint8Array | undefined) => bytes && new Blob([bytes.slice()]);

const URL_OF_MODEL = 'https://host.test/model/model.json';

/** Checks that a model continues a text like the folder that it came from. */
async function sameText(t: Test, load: () => Promise<GrootL>, expected: string, name: string): Promise<void> {
  const model = await load();
  const { tokens } = await model.generate(PROMPT, { maxTokens: 8 });
  t.equal(String(tokens), expected, name);
  model.dispose();
}

async function leavesNothing(t: Test, body: () => Promise<void>): Promise<void> {
  const { leaked } = await onBackend('cpu', body);
  t.equal(leaked, 0, 'no tensor is left behind');
}

t.test('a language model loads from every kind of source', async (t) => {
  const sink = await language();
  await leavesNothing(t, async () => {
    const reference = await GrootL.load(sinkFiles(sink));
    const expected = String((await reference.generate(PROMPT, { maxTokens: 8 })).tokens);
    const text = (await reference.generate('The maintainer', { maxTokens: 8 })).text;
    reference.dispose();
    const artifacts = () => sink.artifacts() as tf.io.ModelArtifacts;
    const { fetch, requests } = serve(sink);
    const headers = { authorization: 'Bearer x' };
    const sources: Record<string, () => Promise<GrootL>> = {
      'a sink': () => GrootL.load(sink),
      'files in memory': () => GrootL.load(memoryFolder(sink.files)),
      'a reader of Blobs': () => GrootL.load(readFolder(async (file) => blobOf(sink.files.get(file)))),
      'a reader of buffers': () => GrootL.load(readFolder((file) => sink.files.get(file)?.slice().buffer)),
      'artifacts in memory': () => GrootL.load(tf.io.fromMemory(artifacts())),
      'artifacts in memory, at once': () => GrootL.load(tf.io.fromMemorySync(artifacts())),
      'a URL': () => GrootL.load(URL_OF_MODEL, { fetch, requestInit: { headers } }),
      'a URL object': () =>
        GrootL.load(new URL(URL_OF_MODEL), { fetchFunc: fetch, requestInit: { headers } }),
      "a folder's URL": () => GrootL.load('https://host.test/model/', { fetch, requestInit: { headers } }),
      'a folder behind a URL': () =>
        GrootL.load(httpFolder(URL_OF_MODEL, { fetch, requestInit: { headers } })),
      "tfjs's handler of URLs": () =>
        GrootL.load(tf.io.http(URL_OF_MODEL, { fetchFunc: fetch, requestInit: { headers } })),
      "tfjs's handler, streaming": () =>
        GrootL.load(
          tf.io.http(URL_OF_MODEL, { fetchFunc: fetch, requestInit: { headers }, streamWeights: true }),
        ),
    };
    for (const [name, load] of Object.entries(sources)) {
      await sameText(t, load, expected, name);
      const model = await load();
      t.equal(
        (await model.generate('The maintainer', { maxTokens: 8 })).text,
        text,
        `${name}: its tokenizer`,
      );
      model.dispose();
    }
    t.ok(requests.some(({ url }) => url.endsWith('tokenizer.json')));
    t.ok(
      requests.every((request) => request.headers.get('authorization') === 'Bearer x'),
      'headers with every file',
    );
  });
});

t.test('a model alone: texts are read again for each token, and files can be given', async (t) => {
  const sink = await language();
  await leavesNothing(t, async () => {
    const { files, ...artifacts } = sink.artifacts() as unknown as tf.io.ModelArtifacts & {
      files: Record<string, string>;
    };
    const alone = () => tf.io.fromMemory(artifacts);
    const reference = await GrootL.load(sink);
    const expected = String((await reference.generate(PROMPT, { maxTokens: 8 })).tokens);
    reference.dispose();
    await sameText(t, () => GrootL.load(alone()), expected, 'without decode.json');
    const model = await GrootL.load(alone());
    await t.rejects(model.generate('text'), { message: /no tokenizer .* give token ids/ });
    model.dispose();
    await sameText(t, () => GrootL.load(alone(), { files }), expected, 'with the files given');
  });
});

t.test('hosts that answer their index page for what they do not have', async (t) => {
  const sink = await language();
  const page = () =>
    new Response('<!doctype html><title>app</title>', {
      headers: { 'content-type': 'text/html; charset=utf-8' },
    });
  await leavesNothing(t, async () => {
    const { fetch } = serve(sink, (path) =>
      path.startsWith('tokenizer') || !sink.files.has(path) ? page() : undefined,
    );
    const model = await GrootL.load(URL_OF_MODEL, { fetch });
    t.equal(model.tokenizer, undefined, 'no tokenizer');
    model.dispose();
    for (const [missing, message] of [
      ['decode.json', /there is no decode.json/],
      ['model.json', /model\.json: the server answered an HTML page; is this the URL/],
    ] as const) {
      const pages = serve(sink, (path) => (path === missing ? page() : undefined));
      await t.rejects(GrootL.load(URL_OF_MODEL, { fetch: pages.fetch }), { message });
    }
  });
});

t.test('progress, and an end to it', async (t) => {
  const sink = await vision();
  await leavesNothing(t, async () => {
    const { fetch } = serve(sink);
    for (const folder of [
      (options: LoadOptions) => httpFolder(URL_OF_MODEL, { fetch, ...options }),
      (options: LoadOptions) => readFolder((file) => sink.files.get(file), options),
    ]) {
      const fractions: number[] = [];
      let last: LoadProgress | undefined;
      const onProgress = (fraction: number, progress: LoadProgress) => {
        fractions.push(fraction);
        last = progress;
      };
      const model = await GrootV.load(folder({ onProgress }));
      model.dispose();
      t.equal(fractions.at(-1), 1);
      t.ok(fractions.length > 1 && fractions.every((fraction, i) => i === 0 || fraction >= fractions[i - 1]));
      t.equal(last?.loadedBytes, last?.totalBytes);
    }
    const reason = new Error('enough');
    const stopped = new AbortController();
    let shards = 0;
    const onProgress = () => {
      shards++;
      stopped.abort(reason);
    };
    const stopping = readFolder((file) => sink.files.get(file), { signal: stopped.signal, onProgress });
    await t.rejects(GrootV.load(stopping), reason);
    t.equal(shards, 1, 'no file is read after the end');
    const controller = new AbortController();
    const aborting = GrootV.load(URL_OF_MODEL, {
      fetch,
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await t.rejects(aborting, { message: 'enough' });
    const { signal } = controller;
    await t.rejects(GrootV.load(memoryFolder(sink.files), { signal }), { message: 'enough' });
    await t.rejects(GrootL.load(memoryFolder(sink.files), { signal }), { message: 'enough' });
  });
});

t.test('a reader of files', async (t) => {
  const sink = await vision();
  await leavesNothing(t, async () => {
    const files = new Map([...sink.files].map(([name, bytes]) => [name, bytes.slice()]));
    const model = await GrootV.load(memoryFolder(files));
    const image = tf.zeros<tf.Rank.R3>([16, 16, 3]);
    const expected = await model.classify(image);
    for (const bytes of files.values()) bytes.fill(0);
    t.same(await model.classify(image), expected, "the bytes are the caller's again once it is loaded");
    model.dispose();
    image.dispose();

    const shard = [...sink.files.keys()].filter((name) => name.endsWith('.bin'))[1];
    const changed = (content: unknown) =>
      readFolder((file) => (file === shard ? content : sink.files.get(file)) as Uint8Array | undefined);
    await t.rejects(GrootV.load(changed(undefined)), { message: `${shard}: there is no such file` });
    await t.rejects(GrootV.load(changed(new Uint8Array(3))), {
      message: /^model\.json: the weights end after \d+ bytes/,
    });
    await t.rejects(GrootV.load(changed('text')), {
      message: `the reader of "${shard}" gave "text", expected bytes, a Blob or undefined`,
    });
    const broken = new DOMException('gone', 'NotReadableError');
    await t.rejects(GrootV.load(readFolder(() => Promise.reject(broken))), broken);
    const empty = readFolder(() => undefined, { origin: 'cache/model.json' });
    await t.rejects(GrootV.load(empty), { message: 'model.json: there is no such file' });
  });
});

t.test('servers that answer something else', async (t) => {
  const sink = await vision();
  for (const [answer, message] of [
    [() => new Response('', { status: 403 }), /model\/model\.json: the server answered 403/],
    [
      (path: string) => (path.endsWith('.bin') ? new Response('', { status: 500 }) : undefined),
      /shard1of\d+\.bin: the server answered 500/,
    ],
    [
      (path: string) => (path.endsWith('.bin') ? new Response(new Uint8Array(1e6)) : undefined),
      /more than the \d+ bytes/,
    ],
    [
      (path: string) => (path.endsWith('.bin') ? new Response(new Uint8Array(1)) : undefined),
      /declares \d+ bytes of weights, there are \d+/,
    ],
    [() => new Response('nonsense'), /model\.json: not JSON/],
    [
      () => {
        throw new TypeError('fetch failed');
      },
      /model\.json: cannot be fetched \(fetch failed\)/,
    ],
  ] as const) {
    await t.rejects(GrootV.load(URL_OF_MODEL, { fetch: serve(sink, answer).fetch }), { message });
  }
  const json = JSON.parse(new TextDecoder().decode(sink.files.get('model.json')));
  for (const path of ['../x.bin', '//evil.test/x', 'https://evil.test/x', '%2e%2e/x', 'x?y']) {
    json.weightsManifest[0].paths[0] = path;
    const files = new Map([...sink.files, ['model.json', new TextEncoder().encode(JSON.stringify(json))]]);
    const { fetch, requests } = serve(Object.assign(new MemorySink(), { files }));
    await t.rejects(GrootV.load(URL_OF_MODEL, { fetch }), { message: /refused shard path/ });
    t.equal(requests.length, 1, `${path} is not asked for`);
  }
});

t.test('what is not a source says what is', async (t) => {
  for (const [source, message] of [
    [undefined, /the model is undefined, expected the URL of a model.json, an IOHandler/],
    [null, /the model is null/],
    [5, /the model is 5/],
    [{}, /the model is an object, expected/],
    [
      './model',
      /"\.\/model" is not a URL; .*\(fileSystem\("\.\/model"\)\), fileSystem from tfjs-grootvl\/node/,
    ],
    ['model/model.json', /fileSystem\("model"\)/],
    ['C:\\model', /is not a URL|nothing here loads/],
    [new URL('file:///tmp/model/model.json'), /nothing here loads "file:.*fileSystem\("\/tmp\/model"\)/],
    ['indexeddb://model', /nothing here loads "indexeddb:/],
  ] as const) {
    for (const [name, load] of Object.entries<(source: never) => Promise<unknown>>({
      'GrootV.load': GrootV.load,
      'GrootL.load': GrootL.load,
    })) {
      await t.rejects(
        load(source as never),
        { message: new RegExp(`^${name}: .*${message.source}`) },
        String(source),
      );
    }
  }
  for (const [options, message] of [
    [null, /options is null, expected an object/],
    [{ fetch: 'x' }, /fetch is "x", expected a function/],
    [{ signal: {} }, /signal is an object, expected an AbortSignal/],
    [{ requestInit: 5 }, /requestInit is 5, expected an object/],
    [{ files: { 'tokenizer.json': {} } }, /files\["tokenizer.json"\] is an object, expected a text/],
  ] as const) {
    await t.rejects(GrootL.load(new MemorySink(), options as never), { message });
  }
  await t.rejects(GrootV.load(new MemorySink()), { message: /model\.json: there is no such file$/ });
});

t.test('a model that was trained is saved as it is', async (t) => {
  const sink = await vision();
  await leavesNothing(t, async () => {
    const model = await GrootV.load(sink);
    const images = tf.randomUniform<tf.Rank.R4>([2, 16, 16, 3], 0, 255, 'float32', 1);
    const labels = tf.tidy(() => tf.oneHot(tf.tensor1d([1, 2], 'int32'), 7));
    const before = await model.classify(images, { top: 7 });
    const weights = model.model.weights;
    const variables = Object.keys(weights)
      .filter((name) => name.startsWith('head.'))
      .map((name) => {
        const variable = tf.variable(weights[name][0]);
        weights[name][0].dispose();
        weights[name][0] = variable;
        return variable;
      });
    const optimizer = tf.train.sgd(0.5);
    for (let i = 0; i < 3; i++) {
      optimizer.minimize(
        () => tf.losses.softmaxCrossEntropy(labels, model.logits(images)) as tf.Scalar,
        false,
        variables,
      );
    }
    const trained = await model.classify(images, { top: 7 });
    t.notSame(trained, before, 'training changes what is predicted');
    for (const save of [model.save.bind(model), model.model.save.bind(model.model)]) {
      let saved: tf.io.ModelArtifacts | undefined;
      const handler = tf.io.withSaveHandler(async (artifacts) => {
        saved = structuredClone(artifacts);
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      });
      await save(handler);
      const again = await GrootV.load(tf.io.fromMemory(saved as tf.io.ModelArtifacts));
      t.same(await again.classify(images, { top: 7 }), trained, 'the same predictions');
      again.dispose();
    }
    await t.rejects(model.save('x://y'), { message: /nothing here saves to "x:\/\/y"/ });
    await t.rejects(model.save({}), { message: /expected an IOHandler that saves/ });
    model.dispose();
    optimizer.dispose();
    tf.dispose([images, labels]);
  });
});

t.test('a language model is saved with what lies beside it', async (t) => {
  const sink = await language();
  await leavesNothing(t, async () => {
    const model = await GrootL.load(sink);
    const expected = await model.generate('The maintainer', { maxTokens: 8 });
    const [name] = Object.keys(model.model.weights).filter((each) => each.endsWith('norm_f.weight'));
    let saved: tf.io.ModelArtifacts | undefined;
    const handler = tf.io.withSaveHandler(async (artifacts) => {
      saved = structuredClone(artifacts);
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    });
    await model.save(handler);
    const again = await GrootL.load(tf.io.fromMemory(saved as tf.io.ModelArtifacts));
    t.same((await again.generate('The maintainer', { maxTokens: 8 })).tokens, expected.tokens);
    again.dispose();
    // Both graphs read the changed weight, and so does the saved model.
    const weights = model.model.weights[name];
    const halved = tf.neg(weights[0]);
    weights[0].dispose();
    weights[0] = halved;
    const changed = await model.generate('The maintainer', { maxTokens: 8 });
    t.notSame(changed.tokens, expected.tokens);
    await model.save(handler);
    const last = await GrootL.load(tf.io.fromMemory(saved as tf.io.ModelArtifacts));
    t.same((await last.generate('The maintainer', { maxTokens: 8 })).tokens, changed.tokens);
    last.dispose();
    model.dispose();
  });
});

t.test('a model that has been disposed says so', async (t) => {
  await onBackend('cpu', async () => {
    const image = tf.zeros<tf.Rank.R3>([8, 8, 3]);
    const grootv = await GrootV.load(await vision());
    grootv.dispose();
    grootv.dispose();
    await t.rejects(grootv.classify(image), { message: /the model has been disposed/ });
    await t.rejects(grootv.save('indexeddb://x'), { message: /the model has been disposed/ });
    const grootl = await GrootL.load(await language());
    grootl.dispose();
    await t.rejects(grootl.generate(PROMPT), { message: /the model has been disposed/ });
    await t.rejects(grootl.score('The', ' cat'), { message: /the model has been disposed/ });
    image.dispose();
  });
});
