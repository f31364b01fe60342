/** GG-SSM's eye tracker and forecasting model at sizes other than the fixtures', and checkpoints of neither. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { exportCheckpoint } from '../../plugin/training/index.js';
import { onBackend } from '../../testing/backends.js';
import { randomState, renamed } from '../../testing/checkpoints.js';
import { loadSink } from '../../testing/models.js';
import {
  bytesSource,
  type ConvertOptions,
  convertCheckpoint,
  inspectCheckpoint,
  MemorySink,
} from '../index.js';
import { Parameters } from '../parameters.js';
import { MadeOrderedDict, type Picklable, torchZipBytes } from '../pytorch/testing/torch_writer.js';
import { eyeTrackerGraph } from './gg_ssm_eye_tracker/graph.js';
import { forecasterGraph } from './gg_ssm_forecaster/graph.js';

type State = Map<string, Picklable>;

function eyeTracker(inputChannels: number, depths: readonly number[], coordinates: number): State {
  const parameters = new Parameters();
  const sizes = { name: '', channels: 8, depths, mlpRatio: 2, layerScale: true, inputChannels, classes: 0 };
  eyeTrackerGraph({ ...sizes, coordinates }, parameters);
  return randomState(parameters.declared);
}

function forecaster(): State {
  const parameters = new Parameters();
  const sizes = { name: '', channels: 8, depths: [1], classes: 0 } as const;
  forecasterGraph({ ...sizes, patchLength: 3, patches: 4, forecastLength: 5 }, parameters);
  return randomState(parameters.declared);
}

async function converted(state: State, options: ConvertOptions = {}) {
  const sink = new MemorySink();
  const bytes = await torchZipBytes(new MadeOrderedDict(state));
  const inspection = await convertCheckpoint(bytesSource(bytes, 'model.pth'), sink, options);
  return { inspection, sink };
}

async function run(sink: MemorySink, name: string, shape: number[]): Promise<number[]> {
  let given: number[] = [];
  await onBackend('cpu', async () => {
    const model = await loadSink(sink);
    const output = tf.tidy(
      () => model.execute({ [name]: tf.randomNormal(shape, 0, 1, 'float32', 7) }) as tf.Tensor,
    );
    const finite = (await output.data()).every(Number.isFinite);
    if (finite) given = output.shape;
    output.dispose();
    model.dispose();
  });
  return given;
}

t.test('an eye tracker of one level and other channels, under a prefix', async (t) => {
  const state = renamed(eyeTracker(2, [1], 3), (name) => `module.model.${name}`);
  const { inspection, sink } = await converted(state);
  t.match(inspection, {
    architecture: 'GG-SSM eye tracker',
    inputChannels: 2,
    coordinates: 3,
    stemStride: 1,
  });
  t.match(inspection, { depths: [1], layerScale: true, warnings: [] });
  t.same(await run(sink, 'frames', [2, 1, 4, 5, 2]), [2, 1, 3], 'one frame');
  t.same(await run(sink, 'frames', [1, 5, 3, 4, 2]), [1, 5, 3]);
});

t.test('an export keeps the stride that was asked for', async (t) => {
  const { sink } = await converted(eyeTracker(1, [1], 2), { stemStride: 2 });
  const { leaked } = await onBackend('cpu', async () => {
    const model = await loadSink(sink);
    const { settings } = await inspectCheckpoint(bytesSource(await exportCheckpoint(model)));
    t.match(settings, [{ name: 'stemStride', value: 2, from: 'checkpoint' }]);
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('its backbone alone', async (t) => {
  const { inspection } = await converted(eyeTracker(1, [1, 1], 2), { prefix: 'spatial_backbone.' });
  t.match(inspection, { architecture: 'GG-SSM', stemStride: 1, classes: 0, inputChannels: 1, warnings: [] });
});

t.test('a forecasting model without dropout, of any number of variables', async (t) => {
  const { inspection, sink } = await converted(forecaster());
  t.match(inspection, { architecture: 'GG-SSM forecaster', patchLength: 3, patches: 4, forecastLength: 5 });
  t.same(await run(sink, 'series', [2, 12, 1]), [2, 5, 1]);
  t.same(await run(sink, 'series', [1, 12, 4]), [1, 5, 4]);
});

const REFUSED: readonly (readonly [string, () => State, ConvertOptions, RegExp])[] = [
  [
    'a missing tensor',
    () => without(eyeTracker(1, [1], 2), 'temporal_ssm.D'),
    {},
    /missing: temporal_ssm\.D$/,
  ],
  ['a missing head', () => without(eyeTracker(1, [1], 2), 'fc_out.bias'), {}, /missing: fc_out\.bias$/],
  ['another layer', () => withAnother(eyeTracker(1, [1], 2)), {}, /1 unexpected: fc_out\.2\.weight/],
  [
    'patches that do not fit',
    () => misshapen(forecaster()),
    {},
    /head\.linear\.weight is \[5, 33\], expected \[5, 32\]/,
  ],
  [
    'class names',
    () => forecaster(),
    { classNames: ['a'] },
    /1 class names were given; a forecasting model has no/,
  ],
  ['a stem', () => forecaster(), { stemStride: 1 }, /a forecasting model has no stem/],
  ['a scan', () => forecaster(), { scan: 'raster' }, /scan was given, which is for GrootV/],
  [
    'settings of detectors',
    () => eyeTracker(1, [1], 2),
    { dense: { scale: [2, 1] } },
    /this is an eye tracker/,
  ],
];

for (const [what, state, options, message] of REFUSED) {
  t.test(`${what} is one clear line`, async (t) => {
    await t.rejects(converted(state(), options), { name: /Error/, message });
  });
}

function without(state: State, name: string): State {
  state.delete(name);
  return state;
}

function withAnother(state: State): State {
  return new Map([...state, ...randomState(new Map([['fc_out.2.weight', [2, 2]]]))]);
}

function misshapen(state: State): State {
  return new Map([...state, ...randomState(new Map([['head.linear.weight', [5, 33]]]))]);
}
