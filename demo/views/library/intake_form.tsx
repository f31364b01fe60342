import { useSignal } from '@preact/signals';
import { add, cancel, type IntakeSource, intake } from '../../state/library.js';
import { formatBytes } from '../format.js';
import { filesOfInput } from './dropped.js';
import { IntakeOptions } from './intake_options.js';

const STAGES = { fetching: 'Fetching', reading: 'Reading and checking', writing: 'Converting' } as const;

/** Ways to add a model other than by a drop, and the progress of adding one. */
export function IntakeForm() {
  return (
    <>
      {intake.value && <Progress {...intake.value} />}
      <div class="intake" hidden={intake.value !== undefined}>
        <p class="muted">
          Drop a PyTorch checkpoint, the HuggingFace folder of a Mamba or a converted folder on this page. It
          is read here and sent nowhere; nothing in it is executed.
        </p>
        <div class="actions">
          <Chooser label="Choose files" onChoose={add} />
          <Chooser label="Choose a folder" isFolder onChoose={add} />
        </div>
        <details>
          <summary>From a URL, and options</summary>
          <UrlForm />
          <IntakeOptions />
        </details>
      </div>
    </>
  );
}

interface ChooserProps {
  readonly label: string;
  readonly isFolder?: boolean;
  readonly onChoose: (source: IntakeSource) => void;
}

/** A button for a native file input. */
function Chooser({ label, isFolder = false, onChoose }: ChooserProps) {
  return (
    <label class="button">
      {label}
      <input
        class="visually-hidden"
        type="file"
        multiple
        {...(isFolder && { webkitdirectory: true })}
        onChange={({ currentTarget }) => {
          const { files } = currentTarget;
          if (files?.length) onChoose(filesOfInput(files));
          currentTarget.value = ''; // so that the same files can be chosen again
        }}
      />
    </label>
  );
}

function UrlForm() {
  const url = useSignal('');
  const onSubmit = (event: Event) => {
    event.preventDefault();
    void add({ url: url.value.trim() });
  };
  return (
    <form class="url" onSubmit={onSubmit}>
      <label class="field">
        URL of a checkpoint or a model.json
        <input
          type="url"
          required
          value={url}
          onInput={({ currentTarget }) => (url.value = currentTarget.value)}
        />
      </label>
      <button type="submit">Add</button>
    </form>
  );
}

function Progress({ name, stage, done, total }: NonNullable<typeof intake.value>) {
  return (
    <div class="intake" aria-live="polite">
      <label class="field">
        {STAGES[stage]} {name}
        <progress value={total > 0 ? done : undefined} max={total || 1} />
      </label>
      <p class="muted">{total > 0 ? `${formatBytes(done)} of ${formatBytes(total)}` : 'Starting'}</p>
      <button type="button" onClick={cancel}>
        Cancel
      </button>
    </div>
  );
}
