/** The page: drawings of classes, the training as the worker reports it, and what the model makes of a drawing. */
import { drawingPad } from './pad.js';

const CLASSES = ['star', 'house', 'spiral'];
/** Of one class, fewer are refused. */
const LEAST_DRAWINGS = 3;

const element = (id) => document.getElementById(id);
const [status, error, curve] = ['status', 'error', 'curve'].map(element);
const [train, stop, download, progress] = ['train', 'stop', 'download', 'progress'].map(element);

const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
const waiting = new Map();
/** Each class: its row of the page, and what was drawn of it. */
const classes = [];
let asked = 0;
let [isReady, isTraining, isTrained] = [false, false, false];

/** Asks the worker. @throws {Error} what went wrong there */
function ask(request, input = {}) {
  const id = ++asked;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, request, ...input });
  });
}

worker.onmessage = ({ data: { id, result, error, step } }) => {
  if (step) return showStep(step);
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(result);
  else reject(new Error(error));
};
worker.onerror = ({ message }) => {
  const failure = new Error(
    `the worker has failed (${message || 'its script could not be loaded'}): reload the page`,
  );
  for (const { reject } of waiting.values()) reject(failure);
  waiting.clear();
  worker.terminate();
  isReady = false;
  status.textContent = 'There is no model.';
  showError(failure);
  update();
};
window.addEventListener('unhandledrejection', ({ reason }) => showError(reason));

function showError({ message }) {
  error.textContent = message;
  error.hidden = false;
}

/** Runs what a person asked for: a failure is shown, and the page goes on. */
async function attempt(action) {
  error.hidden = true;
  try {
    await action();
  } catch (failure) {
    showError(failure);
  }
  update();
}

function update() {
  train.disabled = !isReady || isTraining;
  stop.disabled = !isTraining;
  download.disabled = !isTrained || isTraining;
  for (const { row } of classes)
    for (const control of row.querySelectorAll('input, button')) control.disabled = isTraining;
  element('add-class').disabled = isTraining;
}

const pad = drawingPad(element('pad'), () => attempt(classify));

async function classify() {
  if (!isTrained || isTraining || pad.isEmpty) return;
  const list = element('predictions');
  list.ariaBusy = 'true';
  const predictions = await ask('classify', { image: pad.image() }).finally(() => {
    list.ariaBusy = null;
  });
  const items = predictions.map(({ label, probability }) => {
    const item = document.createElement('li');
    item.textContent = `${label}: ${(100 * probability).toFixed(0)} %`;
    return item;
  });
  list.replaceChildren(...items);
}

function addClass(name = '') {
  const row = element('class').content.firstElementChild.cloneNode(true);
  const [input, count, thumbnails] = ['input', 'output', '.drawings'].map((part) => row.querySelector(part));
  const [add, remove] = row.querySelectorAll('button');
  const own = { row, input, drawings: [] };
  const show = () => {
    count.textContent = `${own.drawings.length} drawn`;
    add.setAttribute('aria-label', `Add the drawing to ${input.value || 'this class'}`);
    remove.setAttribute('aria-label', `Remove the last drawing of ${input.value || 'this class'}`);
  };
  input.value = name;
  input.addEventListener('input', show);
  add.addEventListener('click', () =>
    attempt(() => {
      if (pad.isEmpty) throw new Error('Draw something first.');
      const image = pad.image();
      own.drawings.push(image);
      const thumbnail = Object.assign(document.createElement('canvas'), {
        width: image.width,
        height: image.height,
      });
      thumbnail.getContext('2d').putImageData(image, 0, 0);
      thumbnails.append(thumbnail);
      pad.clear();
      show();
    }),
  );
  remove.addEventListener('click', () => {
    if (own.drawings.pop()) thumbnails.lastElementChild.remove();
    show();
  });
  show();
  classes.push(own);
  element('classes').append(row);
  return input;
}

/** What is drawn, for the worker. Classes without drawings are left out. */
function drawn() {
  const used = classes.filter(({ drawings }) => drawings.length > 0);
  const classNames = used.map(({ input }) => input.value.trim());
  if (used.length < 2) throw new Error('Draw at least two classes.');
  if (classNames.includes('')) throw new Error('Name each class that has drawings.');
  const twice = classNames.find((name, i) => classNames.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`Two classes are called ${twice}: give one another name.`);
  const few = used.findIndex(({ drawings }) => drawings.length < LEAST_DRAWINGS);
  if (few >= 0) throw new Error(`Draw at least ${LEAST_DRAWINGS} of ${classNames[few]}; 8 are better.`);
  const drawings = used.flatMap(({ drawings }, i) =>
    drawings.map((image) => ({ label: classNames[i], image })),
  );
  return { classNames, drawings };
}

function stepsToTrain() {
  const steps = element('steps').valueAsNumber;
  if (Number.isInteger(steps) && steps >= 2 && steps <= 1000) return steps;
  throw new Error('Steps: a whole number from 2 to 1000.');
}

function showStep({ step, steps, loss, accuracy, remainingSeconds, curve: image }) {
  Object.assign(progress, { value: step, max: steps });
  const numbers = `loss ${loss.toFixed(2)}, accuracy ${(100 * accuracy).toFixed(0)} %`;
  status.textContent = `Step ${step} of ${steps}: ${numbers}, ${remainingSeconds.toFixed(0)} s left.`;
  curve.getContext('2d').putImageData(image, 0, 0);
}

train.addEventListener('click', () =>
  attempt(async () => {
    const [input, steps] = [drawn(), stepsToTrain()];
    const start = performance.now();
    Object.assign(progress, { value: 0, max: steps });
    status.textContent = 'Training starts…';
    [isTraining, isTrained] = [true, false];
    update();
    try {
      const { steps: done } = await ask('train', { ...input, steps });
      isTrained = done > 0;
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      const how = done === steps ? `Trained for ${steps} steps` : `Stopped after ${done} of ${steps} steps`;
      status.textContent = `${how} in ${seconds} s.${isTrained ? ' Draw something: the model says what it is.' : ''}`;
    } catch (failure) {
      status.textContent = 'The training has failed.';
      throw failure;
    } finally {
      isTraining = false;
    }
  }),
);
stop.addEventListener('click', () => attempt(() => ask('stop')));
element('clear').addEventListener('click', () => pad.clear());
element('add-class').addEventListener('click', () => addClass().focus());
download.addEventListener('click', () =>
  attempt(async () => {
    const url = URL.createObjectURL(new Blob([await ask('export')]));
    Object.assign(document.createElement('a'), { href: url, download: 'drawings.safetensors' }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }),
);

for (const name of CLASSES) addClass(name);
update();
await attempt(async () => {
  const { parameters } = await ask('start').catch((failure) => {
    status.textContent = 'There is no model.';
    throw failure;
  });
  isReady = true;
  status.textContent = `A classifier of digits with ${parameters.toLocaleString('en')} parameters is ready to learn.`;
});
