import { type FolderInspection, type Inspection, settingText } from 'tfjs-grootvl/converters';
import { add, report } from '../../state/library.js';
import { formatBytes, formatCount } from '../format.js';

/** The report of the model that was added last, or why it was not added. */
export function Report() {
  const shown = report.value;
  if (!shown) return null;
  const close = (
    <button type="button" onClick={() => (report.value = undefined)}>
      Close the report
    </button>
  );
  if ('refusal' in shown) {
    return (
      <section class="report" role="alert">
        <h3>{shown.name} was not added</h3>
        <p>{shown.refusal}</p>
        <div class="actions">
          <button type="button" onClick={() => add(shown.source)}>
            Try again with the options below
          </button>
          {close}
        </div>
      </section>
    );
  }
  const { summary, inspection, leftOut } = shown;
  return (
    <section class="report" aria-live="polite" aria-label={`Report on ${summary.title}`}>
      <h3>{summary.title}</h3>
      {inspection ? (
        <Found inspection={inspection} />
      ) : (
        <p>
          A converted {summary.architecture} with {formatCount(summary.parameters)} parameters.
        </p>
      )}
      <p>{formatBytes(summary.bytes)} are stored.</p>
      <LeftOut entries={leftOut} />
      <div class="actions">{close}</div>
    </section>
  );
}

function Found({ inspection }: { readonly inspection: Inspection | FolderInspection }) {
  const { architecture, parameters, tensors, weightsUsed, file } = inspection;
  const { prefix = '', settings = [], warnings = [] } = 'settings' in inspection ? inspection : {};
  return (
    <>
      <p>
        {architecture} with {formatCount(parameters)} parameters in {tensors} tensors.{' '}
        {weightsUsed === 'bare' ? 'Its weights lie at the top of the file' : 'Its weights are '}
        {weightsUsed !== 'bare' && <code>{weightsUsed}</code>}
        {prefix && ', with names behind '}
        {prefix && <code>{prefix}</code>}.
      </p>
      {warnings.map((warning) => (
        <p key={warning} class="warning">
          Look at this before you use it: {warning}
        </p>
      ))}
      {settings.length > 0 && (
        <details>
          <summary>Settings, and where they are from ({settings.length})</summary>
          <dl>
            {settings.map((setting) => (
              <div key={setting.name}>
                <dt>{inWords(setting.name)}</dt>
                <dd>{describe(setting)}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
      <details>
        <summary>The file</summary>
        <dl>
          <dt>{file.name}</dt>
          <dd>
            {file.format}, {formatBytes(file.bytes)}
          </dd>
          <dt>SHA-256</dt>
          <dd>
            <code>{file.sha256}</code>
          </dd>
        </dl>
      </details>
    </>
  );
}

const ORIGINS = {
  options: 'as chosen',
  checkpoint: 'the checkpoint says so',
  'file name': 'the name of the file says so',
  default: 'nothing says so: the usual value',
} as const;

/** `stemStride` as `stem stride`. */
function inWords(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function describe({ value, from, evidence, note }: Inspection['settings'][number]): string {
  return [`${settingText(value)} (${ORIGINS[from]}${evidence ? `: ${evidence}` : ''})`, note]
    .filter(Boolean)
    .join('; ');
}

/** Groups names with the same reason. */
function LeftOut({ entries }: { readonly entries: Inspection['ignored'] }) {
  if (entries.length === 0) return <p>Nothing was left out.</p>;
  const reasons = new Map<string, string[]>();
  for (const { name, reason } of entries) reasons.set(reason, [...(reasons.get(reason) ?? []), name]);
  return (
    <details>
      <summary>What was left out, and why ({entries.length})</summary>
      <dl>
        {[...reasons].map(([reason, names]) => (
          <div key={reason}>
            <dt>{reason}</dt>
            <dd>
              {names.slice(0, 8).join(', ')}
              {names.length > 8 && ` and ${names.length - 8} more`}
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
