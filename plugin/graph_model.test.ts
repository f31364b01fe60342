/** A page may have a second copy of tfjs: its executor must support the ops too. */
import { createRequire } from 'node:module';
import t from 'tap';

type Tfjs = typeof import('@tensorflow/tfjs');
const copy = createRequire(import.meta.url)('@tensorflow/tfjs/dist/tf.min.js') as Tfjs;

t.test('the ops are registered with the tfjs of a script tag, and with one that is given', async (t) => {
  Object.assign(globalThis, { tf: copy });
  const { loadConverted } = await import('../testing/models.js');
  const { GrootV, registerOps } = await import('./index.js');
  const { OPS } = await import('./ops/index.js');
  await copy.setBackend('cpu');
  const { model, sink } = await loadConverted('grootv/grootv_tiny_fp16.pth');
  model.dispose();
  const image = copy.ones<import('@tensorflow/tfjs').Rank.R4>([1, 8, 8, 3]);
  const theirs = await copy.loadGraphModel(copy.io.fromMemory(sink.artifacts() as never));
  const ours = await GrootV.load(sink);
  const logits = (theirs.predict(image) as import('@tensorflow/tfjs').Tensor).dataSync();
  t.same(logits, ours.logits(image).dataSync());
  const names: string[] = [];
  registerOps({ registerOp: (name) => names.push(name) });
  t.same(names.sort(), OPS.map(({ name }) => name).sort());
  t.throws(() => registerOps({} as never), {
    message: /registerOps: the argument is an object, expected tfjs/,
  });
  t.throws(() => registerOps(undefined as never), { message: /registerOps: the argument is undefined/ });
});
