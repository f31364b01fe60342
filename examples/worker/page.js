/** The page: it imports nothing of tfjs, so that nothing blocks it. */
const [input, output] = ['input', 'pre'].map((name) => document.querySelector(name));
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });

worker.onmessage = ({ data: { request, result, error } }) => {
  if (request === 'load' && error === undefined) input.disabled = false;
  output.textContent = error ?? result;
};
worker.onerror = ({ message }) => {
  output.textContent = `the worker has failed: ${message || 'its script could not be loaded'}`;
};
input.addEventListener('change', () =>
  worker.postMessage({ request: 'classify', argument: [...input.files] }),
);
worker.postMessage({ request: 'load', argument: new URL('model/model.json', document.baseURI).href });
