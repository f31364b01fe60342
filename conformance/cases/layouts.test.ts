import { readFileSync } from 'node:fs';
import t from 'tap';
import { bytesSource } from '../../converters/byte_source.js';
import { openCheckpoint } from '../../converters/pytorch/checkpoint.js';
import { stateDicts } from '../../converters/pytorch/state_dict.js';
import { encodeSafetensors, type SafetensorsTensor } from '../../plugin/models/safetensors_writer.js';
import { shuffledTree } from '../../plugin/ops/spec/graphs.js';
import { Random } from '../../plugin/ops/spec/random.js';
import { parentIdsOf } from '../../plugin/ops/spec/rooted_tree.js';
import { treeScan, treeScanGradient } from '../../plugin/ops/spec/tree_scan.js';
import {
  encoded,
  type File,
  FOLDER,
  fixture,
  floats,
  floatsOf,
  integers,
  renamed,
  replaced,
  results,
  stored,
  verdicts,
} from '../../testing/edited_case_files.js';
import { largest } from '../measure.js';

/** Messages of engine errors caused by bugs, as opposed to messages written for users. */
const RAW =
  /Cannot read prop|is not (a function|iterable|defined)|undefined|NaN|Invalid (typed )?array length|offset is out/;

// --- checkpoints without a head

const MODEL = 'grootv_tiny_layerscale';
const checkpoint = new Uint8Array(readFileSync(`${FOLDER}${MODEL}.pth`));

/** The weights of the model, without those that match `leaveOut`, as a safetensors file. */
async function weightsWithout(leaveOut: RegExp): Promise<Uint8Array> {
  const [{ entries }] = stateDicts(await openCheckpoint(bytesSource(checkpoint, 'x.pth')));
  const tensors: SafetensorsTensor[] = [];
  for (const [name, tensor] of entries) {
    if (leaveOut.test(name)) continue;
    tensors.push({ name, dtype: 'F32', shape: tensor.shape, data: await tensor.readFloat32() });
  }
  return encodeSafetensors(tensors);
}

const expectedFile = fixture(`${MODEL}_expected`);
const without = (pattern: RegExp) => renamed(expectedFile, (name) => (pattern.test(name) ? undefined : name));
const named = (file: File, weights: string): File => ({ ...file, metadata: { ...file.metadata, weights } });

t.test('a backbone without a head: its features are compared, and what is not is said', async (t) => {
  const weights = await weightsWithout(/^(conv_head|head)\./);
  const file = named(expectedFile, 'backbone.safetensors');
  const found = await results({ 'a.safetensors': encoded(file), 'backbone.safetensors': weights });
  const pinned = found.filter(
    ({ op, case: name }) => /pinned$/.test(op) && name === 'a 32x32' && !/gradient/.test(op),
  );
  t.match(pinned, [
    { verdict: 'pass', reason: /model has none: logits, pooled/, worst: { tensor: /features_/ } },
  ]);
  t.match(
    found.filter(({ op }) => /gradient/.test(op)),
    [{ verdict: 'skip', reason: /has no logits/ }],
  );
  t.notOk(found.find(({ verdict }) => verdict === 'fail'));
  // And they are actually compared.
  const values = floatsOf(file, 'seq_out.32x32.2');
  values[7] += 1e-2;
  const other = replaced(file, floats('seq_out.32x32.2', [2, 2, 2, 32], values));
  const failed = await results({ 'a.safetensors': encoded(other), 'backbone.safetensors': weights });
  t.match(
    failed.filter(({ verdict }) => verdict === 'fail').map(({ op }) => op),
    ['GrootV, trees pinned', 'GrootV, own trees'],
  );
});

t.test('a file that has features only, and a model with a convolution but no classes', async (t) => {
  const weights = await weightsWithout(/^head\./);
  const file = named(without(/^(logits|grad)/), 'backbone.safetensors');
  const found = await results({ 'a.safetensors': encoded(file), 'backbone.safetensors': weights });
  t.same(verdicts(found), ['pass']);
  const pooled = floatsOf(file, 'pooled.32x32').map((value) => value + 1e-2);
  const other = replaced(
    file,
    floats('pooled.32x32', [...(file.tensors.get('pooled.32x32')?.shape ?? [])], pooled),
  );
  const failed = await results({ 'a.safetensors': encoded(other), 'backbone.safetensors': weights });
  t.ok(failed.some(({ verdict, reason }) => verdict === 'fail' && /^pooled/.test(reason)));
  const logitsOnly = named(without(/^(seq_out|pooled|grad)/), 'backbone.safetensors');
  const skipped = await results({ 'a.safetensors': encoded(logitsOnly), 'backbone.safetensors': weights });
  t.same(verdicts(skipped), ['skip']);
  t.match(skipped[0].reason, /a model without logits/);
});

t.test('a map of the last level in a file that names no level is told as such', async (t) => {
  const maps = floats('features.32x32', [1, 2, 2, 2], new Array(8).fill(0));
  const file = named(
    replaced(without(/^(seq_out|features|logits|pooled|grad)/), maps),
    'backbone.safetensors',
  );
  const found = await results({
    'a.safetensors': encoded(file),
    'backbone.safetensors': await weightsWithout(/^head\./),
  });
  t.same(verdicts(found), ['skip']);
  t.match(found[0].reason, /features\.32x32 is a map of the last level, and no seq_out/);
});

// --- inputs of models

t.test('any form of an image is an input', async (t) => {
  const pixels = (file: File, to: string) => renamed(file, (name) => name.replace(/^rgb\./, `${to}.`));
  const half = (name: string) => stored(expectedFile, name, 'BF16');
  const onlyCrop = pixels(without(/^(input|grad)/), 'crop_rgb');
  const onlyRgb = without(/^(input|grad)/);
  const lastAxis = (() => {
    const values = floatsOf(expectedFile, 'input.32x32');
    const moved = values.map(
      (_, i) => values[(Math.floor(i / 3072) * 3 + (i % 3)) * 1024 + (Math.floor(i / 3) % 1024)],
    );
    return replaced(without(/grad/), floats('input.32x32', [2, 32, 32, 3], moved));
  })();
  const doubles = replaced(
    without(/grad/),
    stored(expectedFile, 'input.32x32', 'F64'),
    stored(expectedFile, 'logits.32x32', 'F64'),
  );
  const untagged = renamed(without(/grad|48x80/), (name) => name.replace('.32x32', ''));
  const extra = replaced(
    without(/grad/),
    floats('note', [1], [1]),
    integers('crop_box.32x32', [4], [0, 0, 1, 1]),
  );
  // The original image next to the crop is not a contradiction.
  const original = replaced(
    pixels(without(/grad/), 'crop_rgb'),
    integers('rgb.32x32', [1, 9, 9, 3], new Array(243).fill(0)),
  );
  const files = { onlyCrop, onlyRgb, lastAxis, doubles, untagged, extra, original };
  for (const [name, file] of Object.entries(files)) {
    const found = await results({ 'a.safetensors': encoded(file), [`${MODEL}.pth`]: checkpoint });
    t.same(verdicts(found), ['pass'], `${name}: ${found.find(({ verdict }) => verdict !== 'pass')?.reason}`);
    t.ok(found.length >= 2, `${name}: ${found.length} cases`);
  }
  // Rounded to bfloat16 it is a different image: usable, but inconsistent with the pixels in the file.
  const rounded = await results({
    'a.safetensors': encoded(replaced(without(/grad/), half('input.32x32'))),
    [`${MODEL}.pth`]: checkpoint,
  });
  t.ok(rounded.some(({ verdict, reason }) => verdict === 'fail' && /input\.32x32/.test(reason)));
});

t.test('an input that is missing skips what needs it, with the reason, and nothing else', async (t) => {
  const file = without(/^(input|rgb|crop_rgb)\.32x32|grad/);
  const found = await results({ 'a.safetensors': encoded(file), [`${MODEL}.pth`]: checkpoint });
  t.same(verdicts(found), ['pass', 'skip']);
  t.match(
    found.find(({ verdict }) => verdict === 'skip'),
    { case: 'a 32x32', reason: /expected input\.32x32, or pixels as/ },
  );
  const half = replaced(without(/grad/), stored(expectedFile, 'logits.32x32', 'BF16'));
  const skipped = await results({ 'a.safetensors': encoded(half), [`${MODEL}.pth`]: checkpoint });
  t.match(
    skipped.find(({ verdict }) => verdict === 'skip')?.reason,
    /logits\.32x32 is bfloat16, expected float32 or float64/,
  );
  const [alone] = await results({ 'a.safetensors': encoded(expectedFile) });
  t.match(alone, {
    verdict: 'skip',
    reason: /the checkpoint of a.safetensors is not there: grootv_tiny_layerscale.pth/,
  });
});

// --- references with roundings of their own

t.test('a reference of a deep path may be as far from float64 as its depth explains', async (t) => {
  const [numVertices, channels] = [3136, 2];
  const random = new Random(5);
  const tree = shuffledTree('path', numVertices, random);
  const draw = (sample: () => number) => random.floats(numVertices * channels, sample);
  const [x, dy] = [draw(() => random.normal()), draw(() => random.normal())];
  const decay = draw(() => 1 - 1e-3 * random.next());
  const exact = treeScanGradient(x, decay, dy, tree, channels, 'all');
  const y = treeScan(x, decay, tree, channels, 'all');
  const first = (values: ArrayLike<number>) =>
    Float32Array.from(
      { length: values.length },
      (_, i) => values[(i % numVertices) * channels + Math.floor(i / numVertices)],
    );
  const file = (noise: number, ofOne = noise): Uint8Array => {
    const rounded = (values: Float64Array) => {
      const scale = largest(values);
      return first(values.map((v, i) => v + (i % 2 ? 1 : -1) * (i === 99 ? ofOne : noise) * scale));
    };
    const shape = [1, channels, numVertices];
    return encodeSafetensors([
      floats('feature_in', shape, first(x)),
      floats('edge_weight', shape, first(decay)),
      floats('grad_output', shape, first(dy)),
      integers('parent', [1, numVertices], parentIdsOf(tree)),
      floats('feature_out', shape, rounded(y)),
      floats('grad_x_official', shape, rounded(exact.dx)),
      floats('grad_w_official', shape, rounded(exact.ddecay)),
    ]);
  };
  t.same(verdicts(await results({ 'deep.safetensors': file(7e-6) })), ['pass']);
  const single = await results({ 'deep.safetensors': file(1e-7, 8e-6) });
  t.ok(
    single.every(
      ({ verdict, reason }) => verdict === 'fail' && /contradicts the float64 oracle/.test(reason),
    ),
  );
  const wrong = await results({ 'deep.safetensors': file(3e-5) });
  t.ok(
    wrong.every(({ verdict, reason }) => verdict === 'fail' && /contradicts the float64 oracle/.test(reason)),
  );
});

// --- partial, other and damaged layouts

t.test('inputs alone are held to the oracle; float16 and float64 inputs too', async (t) => {
  const scan = fixture('treescan_mst5x9_D16');
  const graph = fixture('mst_grid7x7_random');
  const only = (file: File, ...names: string[]) =>
    renamed(file, (name) => (names.includes(name) ? name : undefined));
  const files = {
    scan: only(scan, 'feature_in', 'edge_weight', 'parent'),
    gradient: only(scan, 'feature_in', 'edge_weight', 'parent', 'grad_output'),
    graph: only(graph, 'edges', 'weights', 'num_vertices'),
    halves: replaced(
      only(scan, 'feature_in', 'edge_weight', 'parent'),
      stored(scan, 'feature_in', 'BF16'),
      stored(scan, 'edge_weight', 'F16'),
    ),
    doubles: replaced(
      scan,
      stored(scan, 'feature_in', 'F64'),
      stored(scan, 'feature_out', 'F64'),
      stored(scan, 'grad_x_true', 'F64'),
    ),
    extra: replaced(scan, floats('anything', [0], []), integers('else', [2, 0, 3], [])),
  };
  for (const [name, file] of Object.entries(files)) {
    const found = await results({ 'a.safetensors': encoded(file) });
    t.same(verdicts(found), ['pass'], `${name}: ${found.find(({ verdict }) => verdict !== 'pass')?.reason}`);
  }
});

t.test('metadata that are not about the tensors of the file are a skip that says so', async (t) => {
  const edits: [name: string, metadata: Record<string, string>, reason: RegExp][] = [
    [
      'op_path_scan_5x7',
      { height: '100000', width: '100000' },
      /x has 35 vertices, its grid is 100000 x 100000/,
    ],
    ['op_path_scan_5x7', { height: '-5', width: '-7' }, /x has 35 vertices, its grid is -5 x -7/],
    ['op_path_scan_5x7', { cross: 'row' }, /cross of the metadata is not a JSON object/],
    ['apro_two_passes', { kernel: '1001' }, /kernel is 1001, expected an integer from 0 to \d\d/],
    [
      'apro_two_passes',
      { iterations: '1e12' },
      /iterations is 1000000000000, expected an integer from 0 to 1000/,
    ],
    ['gg_ssm_series_mixer', { unused: '[' }, /unused of the metadata is not a JSON object/],
  ];
  for (const [name, metadata, reason] of edits) {
    const file = fixture(`../family/${name}`);
    const edited = encoded({ ...file, metadata: { ...file.metadata, ...metadata } });
    t.match(await results({ 'a.safetensors': edited }), [{ verdict: 'skip', reason }], name);
  }
});

t.test('V = 1 and batches of none', async (t) => {
  for (const [V, B] of [
    [1, 2],
    [1, 0],
    [3, 0],
  ]) {
    const scan: File = {
      metadata: {},
      tensors: new Map(
        [
          floats('feature_in', [B, 2, V], new Float32Array(2 * B * V)),
          floats('edge_weight', [B, 2, V], new Float32Array(2 * B * V)),
          integers('parent', [B, V], new Array(B * V).fill(-1)),
        ].map((tensor) => [tensor.name, tensor]),
      ),
    };
    const edges = V === 1 ? [] : [0, 1, 1, 2];
    const graph = {
      metadata: {},
      tensors: new Map(
        [
          floats('weights', [B, edges.length / 2], new Float32Array((B * edges.length) / 2)),
          integers('edges', [edges.length / 2, 2], edges),
          integers('num_vertices', [1], [V]),
        ].map((tensor) => [tensor.name, tensor]),
      ),
    };
    const weights = {
      metadata: {},
      tensors: new Map(
        [
          ...graph.tensors,
          ['features', floats('features', [B, 2, V], new Float32Array(2 * B * V))],
          [
            'weight_norm1',
            floats('weight_norm1', [B, edges.length / 2], new Float32Array((B * edges.length) / 2)),
          ],
        ].filter(([name]) => name !== 'num_vertices') as [string, SafetensorsTensor][],
      ),
    };
    for (const file of [scan, graph, weights]) {
      const found = await results({ 'a.safetensors': encoded(file) });
      t.ok(found.length > 0);
      for (const { verdict, reason } of found) {
        t.equal(verdict, B === 0 ? 'skip' : 'pass', `V = ${V}, B = ${B}: ${reason}`);
        t.notMatch(reason, RAW);
      }
    }
  }
});

t.test(
  'whatever is missing or misshapen in a file of any kind, there is a verdict with a reason',
  async (t) => {
    const kinds = [
      'mst_graph200',
      'edge_weights_gauss_1x8x2x2',
      'treescan_star_root_L50',
      'treessm_c16_1x1_b1',
      '../family/tree_filter_v1_g2_self',
      `${MODEL}_expected`,
    ];
    let tried = 0;
    for (const kind of kinds) {
      const isModel = kind === `${MODEL}_expected`;
      const file = isModel ? without(/grad\.|48x80/) : fixture(kind);
      // Converting a model takes time: only one tensor of each kind.
      const names = [...file.tensors.keys()].filter(
        (name) => !isModel || !/levels\.[1-9]|seq_out.*[1-9]$/.test(name),
      );
      for (const name of names) {
        const tensor = file.tensors.get(name) as SafetensorsTensor;
        const values = new Float32Array(tensor.shape.reduce((a, b) => a * b, 1));
        const edits = {
          missing: renamed(file, (each) => (each === name ? undefined : each)),
          flat: replaced(file, { ...tensor, shape: [values.length] }),
          empty: replaced(file, { ...tensor, shape: [0, ...tensor.shape.slice(1)], data: new Uint8Array() }),
          ids: replaced(file, integers(name, [...tensor.shape], new Int32Array(values.length).fill(99999))),
          bool: replaced(file, { ...tensor, dtype: 'BOOL', data: new Uint8Array(values.length) }),
        };
        for (const [edit, edited] of Object.entries(edits)) {
          const found = await results({ 'a.safetensors': encoded(edited), [`${MODEL}.pth`]: checkpoint });
          t.ok(found.length > 0, `${kind} ${name} ${edit} gives a case`);
          const raw = found.find(({ reason }) => RAW.test(reason));
          t.notOk(raw, `${kind} ${name} ${edit}: ${raw?.op} ${raw?.reason}`);
          tried++;
        }
      }
    }
    t.comment(`${tried} files`);
  },
);

t.test('a damaged file fails with its reason, and the rest of the folder runs', async (t) => {
  const good = readFileSync(`${FOLDER}mst_grid1x6_equal.safetensors`);
  const found = await results({
    'broken.safetensors': new Uint8Array(good.subarray(0, good.length - 3)),
    'empty.safetensors': new Uint8Array(),
    'deep/deeper/good.safetensors': new Uint8Array(good),
    'text.json': new TextEncoder().encode('{'),
    'lost.pth': new Uint8Array([1, 2, 3]),
    'README.md': new TextEncoder().encode('# not a case'),
  });
  t.match(
    found.map(({ case: name, verdict }) => [name, verdict]),
    [
      ['broken', 'fail'],
      ['good', 'pass'],
      ['empty', 'fail'],
      ['lost.pth', 'skip'],
      ['text.json', 'skip'],
    ],
  );
  for (const { reason, verdict } of found) if (verdict === 'fail') t.notMatch(reason, /^threw/);
});
