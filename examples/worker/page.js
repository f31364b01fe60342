/** The page: it imports nothing of tfjs, so that nothing blocks it. */
const [input, output] = ['input', 'pre'].map((name) => document.querySelector(name));
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });

/** What is done with the worker's answers. */
const answers = {
  load() {
    input.disabled = false;
    output.textContent = 'Choose pictures.';
  },
  classify(predictions) {
    output.textContent = predictions.map((row, i) => `${input.files[i].name}: ${text(row)}`).join('\n');
  },
};

function text(row) {
  return row.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(2)} %`).join(', ');
}

worker.onmessage = ({ data: { request, result, error } }) => {
  if (error === undefined) answers[request](result);
  else output.textContent = error;
};
worker.onerror = ({ message }) => {
  output.textContent = `the worker has failed: ${message || 'its script could not be loaded'}`;
};
input.addEventListener('change', () =>
  worker.postMessage({ request: 'classify', argument: [...input.files] }),
);
worker.postMessage({ request: 'load', argument: new URL('model/model.json', document.baseURI).href });
