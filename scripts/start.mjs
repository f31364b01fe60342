/**
 * `npm start`: the whole workflow on real input. Converts a PyTorch checkpoint trained on MNIST to a TensorFlow.js model,
 * classifies digits that it was not trained on, and draws its trees over photographs. Then runs a segmenter and a detector, both
 * trained by this package, on a scene that they were not trained on.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { classifyDigits } from './digits.mjs';
import { installPackages, ROOT, run } from './setup.mjs';

const MODEL = join('out', 'grootv-nano');
const PHOTOS = join('examples', 'photos');
const SCENE = join('examples', 'scenes', 'scene.png');

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
const eye = ['--at', '145,125', '--size', '240'];
grootvl('affinity', MODEL, join(PHOTOS, 'chelsea.png'), ...eye, '--out', affinity);

step('Segmenting unseen digits on a photograph (by a model that this package trained: examples/models)');
const [classes, boxes] = [join('out', 'classes.png'), join('out', 'boxes.png')];
const segmenter = join('out', 'upernet_nano');
grootvl('convert', join('examples', 'models', 'upernet_nano.safetensors'), segmenter);
grootvl('segment', segmenter, SCENE, '--out', classes);

step('Detecting them (likewise)');
const detector = join('out', 'mask_rcnn_nano');
grootvl('convert', join('examples', 'models', 'mask_rcnn_nano.safetensors'), detector);
grootvl('detect', detector, SCENE, '--threshold', '0.5', '--out', boxes);

console.log(`
Look at ${tree}: the minimum spanning tree of the first block, coloured by depth from the root.
Look at ${affinity}: how much of every position reaches the cat's eye along that tree.
Look at ${classes}: the digits of a scene, each pixel by its class, as a trained segmenter finds them.
Look at ${boxes}: the same digits with their boxes and masks, as a trained detector finds them.

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
