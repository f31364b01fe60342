/**
 * `npm start`: the whole way on real input. A PyTorch checkpoint trained on MNIST becomes a TensorFlow.js model, which
 * classifies digits it has never seen and shows what its trees look like on photographs. Then a detector that this package
 * has trained, and a segmenter with random weights.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { classifyDigits } from './digits.mjs';
import { installPackages, ROOT, run } from './setup.mjs';

const MODEL = join('out', 'grootv-nano');
const PHOTOS = join('examples', 'photos');
const UNTRAINED = join('fixtures', 'dense');

installPackages();
step('Building');
run('node', ['scripts/build_wasm.mjs']); // the CUDA backend takes longer to compile, and is not used here
run('node', ['scripts/build_js.mjs']);

step('Converting a PyTorch checkpoint (no Python, nothing in it is executed)');
rmSync(join(ROOT, 'out'), { recursive: true, force: true });
grootvl('convert', join('fixtures', 'grootv', 'grootv_nano_mnist.pth'), MODEL);

step('Classifying test digits with tf.loadGraphModel');
classifyDigits(MODEL);

step('Drawing what the model does with a photograph');
const [tree, affinity] = [join('out', 'tree.png'), join('out', 'affinity.png')];
grootvl('tree', MODEL, join(PHOTOS, 'astronaut.png'), '--size', '320', '--out', tree);
grootvl(
  'affinity',
  MODEL,
  join(PHOTOS, 'chelsea.png'),
  '--at',
  '145,125',
  '--size',
  '240',
  '--out',
  affinity,
);

step('Segmenting (random weights: what it finds means nothing, only the drawing is real)');
const [classes, boxes] = [join('out', 'classes.png'), join('out', 'boxes.png')];
const segmenter = join('out', 'upernet_tiny');
grootvl('convert', join(UNTRAINED, 'upernet_tiny.pth'), segmenter);
grootvl('segment', segmenter, join(PHOTOS, 'astronaut.png'), '--out', classes);

step('Detecting unseen digits on a photograph (by a model that this package trained: examples/models)');
const detector = join('out', 'mask_rcnn_nano');
grootvl('convert', join('examples', 'models', 'mask_rcnn_nano.pth'), detector);
grootvl('detect', detector, join('examples', 'scenes', 'scene.png'), '--threshold', '0.5', '--out', boxes);

console.log(`
Look at ${tree}: the minimum spanning tree of the first block, coloured by depth from the root.
Look at ${affinity}: how much of every position reaches the cat's eye along that tree.
Look at ${boxes}: the digits of a scene with their masks, as a trained detector finds them.
Look at ${classes}: what a segmenter draws. This one has random weights: its classes mean nothing.

Next:
  npx grootvl inspect fixtures/grootv/grootv_nano_mnist.pth
  npx grootvl classify ${MODEL} examples/digits/*.png --top 3
  npx grootvl affinity ${MODEL} ${join(PHOTOS, 'astronaut.png')} --at 220,90 --size 320 --out out/astronaut.png`);

function step(title) {
  console.log(`\n== ${title}`);
}

function grootvl(...args) {
  run(process.execPath, [join('dist', 'node', 'cli', 'main.js'), ...args]);
}
