/** Tests that values are cached per tensor by data, shape and name, and freed once, together with the tensor. */
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import t from 'tap';
import { PerTensorCache } from './per_tensor_cache.js';

function start() {
  const backend = new MathBackendCPU();
  const tensor = (shape: number[]) => ({
    dataId: backend.write(new Float32Array(8), shape, 'float32'),
    shape,
  });
  const freed: string[] = [];
  const cache = new PerTensorCache<string>(backend, (value) => freed.push(value));
  let made = 0;
  const get = (...args: [sources: Parameters<typeof cache.get>[0], name?: string]) =>
    cache.get(args[0], args[1] ?? 'value', () => `value ${++made}`);
  return { backend, tensor, freed, cache, get };
}

t.test('made once for the data, the shape and the name', (t) => {
  const { tensor, cache, get } = start();
  const a = tensor([2, 4]);
  t.equal(get([a]), 'value 1');
  t.equal(get([{ ...a, shape: [2, 4] }]), 'value 1', 'another tensor of the same data and shape');
  t.equal(get([{ ...a, shape: [4, 2] }]), 'value 2', 'a reshaped tensor');
  t.equal(get([{ ...a, shape: [8] }]), 'value 3', 'another rank');
  t.equal(get([a], 'other'), 'value 4', 'another name');
  t.equal(get([tensor([2, 4])]), 'value 5', 'other data');
  t.equal(cache.find([a], 'value'), 'value 1');
  t.equal(cache.find([a], 'nothing'), undefined);
  t.end();
});

t.test('of several tensors: all of them count, in their order', (t) => {
  const { tensor, get } = start();
  const [a, b, c] = [tensor([8]), tensor([8]), tensor([8])];
  t.equal(get([a, b]), 'value 1');
  t.equal(get([a, c]), 'value 2');
  t.equal(get([b, a]), 'value 3');
  t.equal(get([a]), 'value 4');
  t.equal(get([a, { ...b, shape: [2, 4] }]), 'value 5');
  t.equal(get([a, b]), 'value 1');
  t.end();
});

t.test('freed once, with the first of its tensors whose values go', (t) => {
  const { backend, tensor, freed, get } = start();
  const [a, b] = [tensor([8]), tensor([8])];
  get([a]);
  get([a, b]);
  get([b]);
  get([a, a], 'twice the same');
  backend.incRef(a.dataId);
  backend.disposeData(a.dataId);
  t.same(freed, [], 'somebody else has the values still');
  backend.disposeData(a.dataId);
  t.same(freed, ['value 1', 'value 2', 'value 4']);
  backend.disposeData(b.dataId);
  t.same(freed, ['value 1', 'value 2', 'value 4', 'value 3']);
  t.end();
});

t.test('nothing is kept of what could not be made or filled', (t) => {
  const { tensor, freed, cache } = start();
  const a = tensor([8]);
  const fail = () => {
    throw new Error('no memory');
  };
  t.throws(() => cache.get([a], 'value', fail), /no memory/);
  t.throws(() => cache.get([a], 'value', () => 'half', fail), /no memory/);
  t.same(freed, ['half']);
  t.equal(
    cache.get([a], 'value', () => 'whole'),
    'whole',
  );
  t.end();
});

t.test('a backend that tells when values go is not wrapped', (t) => {
  const backend = new MathBackendCPU();
  const { disposeData } = backend;
  const listeners: ((dataId: object) => void)[] = [];
  const freed: string[] = [];
  const telling = Object.assign(backend, {
    onDispose: (listen: (dataId: object) => void) => listeners.push(listen),
  });
  const cache = new PerTensorCache<string>(telling, (value) => freed.push(value));
  const dataId = {};
  cache.get([{ dataId, shape: [] }], 'value', () => 'value');
  t.equal(backend.disposeData, disposeData);
  for (const listen of listeners) listen(dataId);
  t.same(freed, ['value']);
  t.end();
});
