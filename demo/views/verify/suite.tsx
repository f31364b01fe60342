import { signal } from '@preact/signals';
import type { BackendName } from '../../engine/backends.js';
import { running as current, offers } from '../../state/backends.js';
import { type Run, run, running, stop, verify } from '../../state/verify.js';
import { Matrix } from './matrix.js';

/** The backends selected by the user; before that, the current one. */
const chosen = signal<readonly BackendName[] | undefined>();
const ops = signal('');

/** Runs the conformance suite. */
export function Suite() {
  const backends = chosen.value ?? (current.value ? [current.value.name] : []);
  const isRunning = running.value !== undefined;
  return (
    <>
      <h2>Conformance</h2>
      <p>
        Random cases of every op, compared with float64 formulas that share no code with the kernels. What is
        allowed for each op, and why, is part of the report.
      </p>
      <form
        class="suite"
        onSubmit={(event) => {
          event.preventDefault();
          void verify(backends, ops.value);
        }}
      >
        <fieldset disabled={isRunning}>
          <legend>Backends</legend>
          {offers.value.map((offer) => (
            <label key={offer.name}>
              <input
                type="checkbox"
                checked={backends.includes(offer.name)}
                disabled={'missing' in offer}
                onChange={({ currentTarget: { checked } }) => {
                  const others = backends.filter((name) => name !== offer.name);
                  chosen.value = checked ? [...others, offer.name] : others;
                }}
              />{' '}
              {offer.name}
            </label>
          ))}
        </fieldset>
        <label>
          Only ops named{' '}
          <input
            type="search"
            placeholder="all"
            value={ops.value}
            disabled={isRunning}
            onInput={({ currentTarget }) => {
              ops.value = currentTarget.value;
            }}
          />
        </label>
        {isRunning ? (
          <button type="button" onClick={stop}>
            Stop
          </button>
        ) : (
          <button type="submit" class="primary" disabled={backends.length === 0}>
            Run the suite
          </button>
        )}
      </form>
      {run.value && <Results {...run.value} isRunning={isRunning} />}
    </>
  );
}

function Results({ isRunning, ...run }: Run & { readonly isRunning: boolean }) {
  const { done, total, report, failures, matrix } = run;
  return (
    <>
      {isRunning && (
        <label>
          {total === 0 ? 'Loading the suite' : `${done} of ${total} cases`}{' '}
          <progress value={total === 0 ? undefined : done} max={total || 1} />
        </label>
      )}
      {!isRunning && matrix.size > 0 && <Summary {...run} />}
      {report && (
        <p class="saving">
          <a href={report.html} download="conformance.html">
            Save the report as a page
          </a>
          <a href={report.json} download="conformance.json">
            Save it as JSON
          </a>
        </p>
      )}
      {failures.length > 0 && (
        <>
          <h3>What fails</h3>
          <ul class="failures">
            {failures.slice(0, 50).map(({ op, backend, case: name, reason }) => (
              <li key={`${backend} ${op} ${name}`}>
                <b>
                  {op} on {backend}
                </b>
                , {name}: {reason}
              </li>
            ))}
            {failures.length > 50 && <li>and {failures.length - 50} more, which the report has</li>}
          </ul>
        </>
      )}
      {matrix.size > 0 && <Matrix {...run} />}
    </>
  );
}

function Summary({ backends, matrix, devices, done, total, seconds }: Run) {
  return (
    <div aria-live="polite">
      <p>
        {done === total ? `${done} cases` : `Stopped after ${done} of ${total} cases`} in {seconds.toFixed(1)}{' '}
        s
      </p>
      <ul>
        {backends.map((backend) => {
          const cells = [...matrix.values()].flatMap((row) => row.get(backend) ?? []);
          const count = (verdict: 'pass' | 'tie-flip' | 'fail' | 'skip') =>
            `${cells.reduce((sum, { counts }) => sum + counts[verdict], 0)} ${verdict}`;
          return (
            <li key={backend}>
              {backend} ({devices.get(backend) ?? 'has not run'}): {count('pass')}, {count('tie-flip')},{' '}
              {count('fail')}, {count('skip')}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
