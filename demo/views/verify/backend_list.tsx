import { offers, running } from '../../state/backends.js';
import { busy } from '../../state/engine.js';
import { opened } from '../../state/library.js';
import { profile, profilePrediction } from '../../state/profile.js';

/** The backends and their devices; the profile of a prediction on the current one. */
export function BackendList() {
  return (
    <>
      <h2>Backends</h2>
      <p>
        <b>auto</b> takes <code>webgpu</code> where there is a GPU for it, and <code>wasm</code> otherwise. It
        never takes <code>webgl</code>, whose speed on a GPU has not been measured. The status line below
        chooses.
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Backend</th>
            <th scope="col">Runs on</th>
          </tr>
        </thead>
        <tbody>
          {offers.value.map((offer) => (
            <tr key={offer.name} aria-current={offer.name === running.value?.name}>
              <th scope="row">{offer.name}</th>
              <td>
                {'missing' in offer ? (
                  <span class="muted">not here: {offer.missing}</span>
                ) : (
                  <>
                    {offer.name === running.value?.name ? running.value.device : offer.device}
                    {offer.isGpu === false && ' (a processor that stands in for a GPU)'}
                  </>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p>
        <button
          type="button"
          disabled={!opened.value || busy.value !== undefined}
          onClick={() => void profilePrediction()}
        >
          Profile a prediction
        </button>
      </p>
      <Kernels />
    </>
  );
}

function Kernels() {
  const measured = profile.value;
  if (!measured) return null;
  const isTimed = measured.slowest.some(({ milliseconds }) => milliseconds !== undefined);
  return (
    <>
      <p aria-live="polite">
        A prediction on {running.value?.name} runs {measured.kernels} kernels and has{' '}
        {(measured.peakBytes / 1e6).toFixed(1)} MB of tensors at the most.{' '}
        {!isTimed && 'This backend has no clock for single kernels here.'}
      </p>
      <table>
        <caption>{isTimed ? 'Kernels, the slowest first' : 'Kernels, the most frequent first'}</caption>
        <thead>
          <tr>
            <th scope="col">Kernel</th>
            <th scope="col">Calls</th>
            {isTimed && <th scope="col">Together</th>}
          </tr>
        </thead>
        <tbody>
          {measured.slowest.map(({ name, calls, milliseconds }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{calls}</td>
              {milliseconds !== undefined && <td>{milliseconds.toFixed(2)} ms</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
