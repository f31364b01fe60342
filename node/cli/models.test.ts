/** A converted model with every command that takes one: inspect, convert, classify, tree, affinity, run. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t from 'tap';
import { NO_ADAPTER, startInNode } from '../../gpu/webgpu/testing/node_device.js';
import { encodeSafetensors } from '../../plugin/models/safetensors_writer.js';
import { grootvl, grootvlWith } from '../../testing/command_line.js';
import { fixturePath, readFixture } from '../../testing/fixtures.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIGITS = join(ROOT, 'examples', 'digits');
const folder = t.testdir();
const at = (name: string) => join(folder, name);

const NANO = fixturePath('grootv/grootv_nano_mnist.pth') as string;
const model = at('nano');

t.test('convert, then everything that a model can do', async (t) => {
  const converted = await grootvl('convert', NANO, model);
  t.equal(converted.status, 0, converted.stderr);
  t.match(converted.stdout, /architecture {2}GrootV\n/);
  t.match(converted.stdout, /yacs\.config\.CfgNode \(10\): a Python object: kept as data, never called/);
  t.equal(converted.stderr, '', 'no progress in a pipe');
  t.ok(existsSync(join(model, 'model.json')));

  await t.test('inspect', async (t) => {
    const { status, stdout } = await grootvl('inspect', NANO, '--json');
    t.equal(status, 0);
    const inspection = JSON.parse(stdout);
    t.match(inspection, {
      channels: 16,
      depths: [1, 1, 2, 1],
      classes: 10,
      weightsUsed: 'model',
      parameters: 508154,
    });
    t.ok(inspection.ignored.some(({ name }: { name: string }) => name === 'optimizer'));
    const average = await grootvl('inspect', NANO, '--weights', 'model_ema');
    t.match(average.stdout, /weights {7}model_ema/);
  });

  await t.test('classify', async (t) => {
    const files = readdirSync(DIGITS)
      .filter((name) => name.endsWith('.png'))
      .slice(0, 4)
      .map((name) => join(DIGITS, name));
    for (const backend of ['cpu', 'wasm']) {
      const { status, stdout } = await grootvl(
        'classify',
        model,
        ...files,
        '--json',
        '--backend',
        backend,
        '--top',
        '2',
      );
      t.equal(status, 0);
      const results = JSON.parse(stdout);
      t.same(
        results.map(({ file }: { file: string }) => file),
        files,
      );
      for (const { file, predictions, ms } of results) {
        t.equal(predictions.length, 2);
        t.equal(predictions[0].label, /label-(\d)/.exec(file)?.[1]);
        t.ok(predictions[0].index >= 0 && predictions[0].probability > 0.5 && ms > 0);
      }
    }
    const text = await grootvl('classify', model, files[0]);
    t.match(text.stdout, /digit-00-label-7\.png \([\d.]+ ms, wasm\)\n {2}100\.0 % {2}7\n/);
  });

  await t.test('classify on cuda, emulated', async (t) => {
    const image = join(DIGITS, 'digit-00-label-7.png');
    const args = ['classify', model, image, '--backend', 'cuda', '--json'];
    const { status, stdout, stderr } = await grootvlWith({ env: { GROOTVL_CUDA: 'emulation' } }, ...args);
    if (/is not built/.test(stderr)) return t.pass('classify on cuda', { skip: stderr });
    t.equal(status, 0, stderr);
    const onCpu = JSON.parse((await grootvl('classify', model, image, '--json')).stdout);
    const [{ backend, predictions }] = JSON.parse(stdout);
    t.equal(backend, 'cuda');
    t.equal(predictions[0].label, onCpu[0].predictions[0].label);
    t.ok(Math.abs(predictions[0].probability - onCpu[0].predictions[0].probability) < 1e-4);
  });

  await t.test('classify on webgpu, on a software adapter where there is no GPU', async (t) => {
    const image = join(DIGITS, 'digit-00-label-7.png');
    if (!(await startInNode())) return t.pass('classify on webgpu', { skip: NO_ADAPTER });
    const { status, stdout, stderr } = await grootvl(
      'classify',
      model,
      image,
      '--backend',
      'webgpu',
      '--json',
    );
    t.equal(status, 0, stderr);
    const onWasm = JSON.parse((await grootvl('classify', model, image, '--json')).stdout);
    const [{ backend, predictions }] = JSON.parse(stdout);
    t.equal(backend, 'webgpu');
    t.equal(predictions[0].label, onWasm[0].predictions[0].label);
    t.ok(Math.abs(predictions[0].probability - onWasm[0].predictions[0].probability) < 1e-3);
    t.equal(onWasm[0].backend, 'wasm', 'auto leaves out what is not a GPU');
  });

  await t.test('classify with names', async (t) => {
    const names = 'zero one two three four five six seven eight nine'.split(' ');
    writeFileSync(at('names.json'), JSON.stringify(names));
    t.equal(
      (await grootvl('convert', NANO, at('named'), '--classes', at('names.json'), '--quantize', 'float16'))
        .status,
      0,
    );
    const { stdout } = await grootvl('classify', at('named'), join(DIGITS, 'digit-00-label-7.png'), '--json');
    t.equal(JSON.parse(stdout)[0].predictions[0].label, 'seven');
  });

  await t.test('tree and affinity', async (t) => {
    const photo = join(ROOT, 'examples', 'photos', 'chelsea.png');
    t.equal((await grootvl('tree', model, photo, '--out', at('tree.png'), '--block', '1')).status, 0);
    const colours = ['--block', '1', '--colour', 'dissimilarity', '--out'];
    t.match(await grootvl('tree', model, photo, ...colours, at('unlike.png')), { status: 0, stderr: '' });
    const [byDepth, byEdge] = ['tree.png', 'unlike.png'].map((file) => sharp(at(file)));
    t.same((await byDepth.metadata()).width, (await byEdge.metadata()).width);
    t.notOk((await byDepth.raw().toBuffer()).equals(await byEdge.raw().toBuffer()), 'other colours');
    t.equal((await grootvl('affinity', model, photo, '--at', '10,20', '--out', at('map.png'))).status, 0);
    for (const file of ['tree.png', 'map.png']) t.ok((await sharp(at(file)).metadata()).width >= 900, file);
    const raster = ['--at', '10,20', '--scan', 'raster', '--out'];
    t.equal((await grootvl('affinity', model, photo, ...raster, at('both.png'))).status, 0);
    const [one, both] = await Promise.all(['map.png', 'both.png'].map((file) => sharp(at(file)).metadata()));
    t.same([both.width, both.height], [2 * one.width + 16, one.height], 'side by side');
    const left = { left: 300, top: 300, width: one.width - 300, height: one.height - 300 };
    const pixels = (file: string, area: typeof left) => sharp(at(file)).extract(area).raw().toBuffer();
    const tree = await pixels('map.png', left);
    t.ok(tree.equals(await pixels('both.png', left)), 'the tree on the left');
    t.notOk(tree.equals(await pixels('both.png', { ...left, left: left.left + one.width + 16 })));
    t.match(await grootvl('convert', NANO, at('rows'), '--scan', 'raster'), {
      status: 0,
      stdout: /\nscan {10}raster\n/,
    });
    t.match(await grootvl('affinity', at('rows'), photo, ...raster, at('no.png')), {
      status: 1,
      stderr: 'grootvl: --scan raster is drawn beside a tree; the model has a raster scan\n',
    });
    t.match(await grootvl('tree', at('rows'), photo, ...colours, at('no.png')), {
      status: 1,
      stderr: 'grootvl: --colour dissimilarity needs a tree made of features; the model has a raster scan\n',
    });
    t.equal(
      (await grootvl('affinity', at('rows'), photo, '--at', '10,20', '--out', at('row.png'))).status,
      0,
    );
    t.match(await grootvl('convert', NANO, at('x'), '--scan', 'chain'), {
      status: 1,
      stderr: /--scan chain is for the folder of a language model, not for a file\n$/,
    });
    t.match(await grootvl('convert', NANO, at('x'), '--scan', 'cross', '--trees', 'stage'), {
      status: 1,
      stderr: /: trees is "stage", which is for spanning trees; a cross scan goes along fixed paths\n$/,
    });
    t.match(await grootvl('affinity', model, photo, '--at', '9999,1', '--out', at('no.png')), {
      status: 1,
      stderr: /outside/,
    });
    t.notOk(existsSync(at('no.png')));
    t.match(await grootvl('tree', model, photo, '--out', at('no.png'), '--block', '9'), {
      status: 1,
      stderr: /block is 9/,
    });
    t.match(await grootvl('tree', model, photo, '--out', at('nowhere/x.png')), {
      status: 1,
      stderr: /cannot write/,
    });
  });

  await t.test('run: nodes in, nodes out, trees pinned', async (t) => {
    const expected = readFixture('grootv/grootv_nano_mnist_expected.safetensors');
    const { shape, values } = expected.tensor('images_u8');
    const image = new Uint8Array(64 * 64 * 3).map((_, i) => values[((i / 3) % (28 * 28)) | 0]);
    writeFileSync(
      at('in.safetensors'),
      encodeSafetensors([{ name: 'image', dtype: 'U8', shape: [1, 64, 64, 3], data: image }]),
    );
    const nodes = 'logits,blocks_0/order,blocks_0/parent,blocks_0/edge_weights';
    const first = await grootvl(
      'run',
      model,
      '--input',
      at('in.safetensors'),
      '--output',
      at('out.safetensors'),
      '--outputs',
      nodes,
      '--backend',
      'cpu',
    );
    t.equal(first.status, 0, first.stderr);
    const out = readOut(at('out.safetensors'));
    t.same(out.logits.shape, [1, 10]);
    t.same(out['blocks_0/order'], { ...out['blocks_0/order'], dtype: 'I32', shape: [1, 256] });
    t.same(out['blocks_0/edge_weights'].shape, [1, 480]);
    const pinned = ['blocks_0/order', 'blocks_0/parent'].map((name) => ({
      name,
      dtype: 'I32' as const,
      shape: out[name].shape,
      data: out[name].data,
    }));
    const again = [
      { name: 'image', dtype: 'F32' as const, shape: [1, 64, 64, 3], data: Float32Array.from(image) },
      ...pinned,
    ];
    writeFileSync(at('pinned.safetensors'), encodeSafetensors(again));
    const second = await grootvl(
      'run',
      model,
      '--input',
      at('pinned.safetensors'),
      '--output',
      at('again.safetensors'),
      '--backend',
      'cpu',
    );
    t.equal(second.status, 0, second.stderr);
    t.same(
      readOut(at('again.safetensors')).logits.data,
      out.logits.data,
      'float32 in, the same tree pinned, the default output',
    );
    t.equal(shape[0], 64);

    const unknown = await grootvl(
      'run',
      model,
      '--input',
      at('in.safetensors'),
      '--output',
      at('no.safetensors'),
      '--outputs',
      'nope',
    );
    t.match(unknown, {
      status: 1,
      stderr: /the model has no node "nope"; some that it has: image, logits, features_0/,
    });
    t.match(await grootvl('run', model, '--input', NANO, '--output', at('no.safetensors')), {
      status: 1,
      stderr: /expected a safetensors file/,
    });
    t.notOk(existsSync(at('no.safetensors')));
  });
});

function readOut(file: string): Record<string, { dtype: string; shape: number[]; data: Uint8Array }> {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  delete header.__metadata__;
  for (const entry of Object.values(header) as { data_offsets: number[]; data: Uint8Array }[]) {
    const [from, to] = entry.data_offsets;
    entry.data = Uint8Array.from(bytes.subarray(8 + length + from, 8 + length + to));
  }
  return header;
}
