/** GG-SSM on the command line: the source of the stem's stride is reported, and models over time run. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeSafetensors } from '../../plugin/models/safetensors_writer.js';
import { grootvl } from '../../testing/command_line.js';
import { parseFixture } from '../../testing/fixture_format.js';
import { fixturePath, readFixture } from '../../testing/fixtures.js';
import { maxDifference } from '../../testing/measure.js';

const folder = t.testdir();
const at = (name: string) => join(folder, name);
const family = (name: string) => fixturePath(`family/${name}`) as string;

t.test('the stem: by name with a line, by nothing with a warning, by the option', async (t) => {
  const named = await grootvl('inspect', family('gg_ssm_tiny_head.pth'));
  t.match(named.stdout, /^stem stride +1 \(from the file name: .*--stem-stride 2/m);
  t.notMatch(named.stdout, /^warning/m);
  const sure = await grootvl('inspect', family('gg_ssm_tiny_config.pth'));
  t.match(
    sure.stdout,
    /^stem stride +1 \(from the checkpoint: config\.MODEL\.TYPE is "convolutional_graph_ssm"\)$/m,
  );

  copyFileSync(family('gg_ssm_tiny_head.pth'), at('model.pth'));
  const WARNING =
    /^warning +nothing says whether the stem .*"gg_ssm_tiny_head".*--stem-stride 1 or 2 decides$/m;
  for (const command of [['inspect'], ['convert', at('unsaid')]] as const) {
    const { status, stdout } = await grootvl(command[0], at('model.pth'), ...command.slice(1));
    t.equal(status, 0);
    t.match(stdout, /^stem stride +2 \(by default\)$/m);
    t.match(stdout, WARNING);
  }
  const given = await grootvl('inspect', at('model.pth'), '--stem-stride', '1', '--json');
  t.match(JSON.parse(given.stdout), {
    ...{ architecture: 'GG-SSM', stemStride: 1, warnings: [] },
    settings: [{ name: 'stemStride', value: 1, from: 'options' }],
  });
  t.match(await grootvl('inspect', at('model.pth'), '--stem-stride', '3'), {
    status: 2,
    stderr: /Allowed choices are 1, 2/,
  });
});

const OVER_TIME = [
  ['gg_ssm_eye_ini30', 'frames', 'coords', 'coords'],
  ['gg_ssm_series_tiny', 'series', 'forecast', 'output'],
] as const;

for (const [name, input, output, expected] of OVER_TIME) {
  t.test(`${name} converts and runs`, async (t) => {
    const fixture = readFixture(`family/${name}_expected.safetensors`);
    const { shape, values } = fixture.tensor('input');
    // Frames with one channel: as in the file, with the channel last.
    const sides = shape.length === 5 ? [shape[0], shape[1], shape[3], shape[4], 1] : shape;
    const tensor = { name: input, dtype: 'F32', shape: sides, data: Float32Array.from(values) } as const;
    writeFileSync(at(`${name}.safetensors`), encodeSafetensors([tensor]));
    t.match(await grootvl('convert', family(`${name}.pth`), at(name)), { status: 0 });
    const files = ['--input', at(`${name}.safetensors`), '--output', at(`${name}_out.safetensors`)];
    t.match(await grootvl('run', at(name), ...files, '--backend', 'wasm'), { status: 0 });
    const result = parseFixture(name, new Uint8Array(readFileSync(at(`${name}_out.safetensors`))));
    const difference = maxDifference(result.tensor(output).values, fixture.tensor(expected).values);
    t.ok(difference < 1e-4, `${difference}`);
    const image = await grootvl('classify', at(name), at(`${name}.safetensors`));
    t.match(image, { status: 1, stderr: /^grootvl: GrootV\.load: .*this is not a GrootV model[^\n]*\n$/ });
  });
}
