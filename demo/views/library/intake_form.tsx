import { useSignal } from '@preact/signals';
import { add, cancel, type IntakeSource, intake, options } from '../../state/library.js';
import { formatBytes } from '../format.js';
import { filesOfInput } from './dropped.js';
import { IntakeOptionFields } from './intake_options.js';

const STAGES = { fetching: 'Fetching', reading: 'Reading and checking', writing: 'Converting' } as const;

/** How a model is given other than by a drop, and how far adding it has come. */
export function IntakeForm() {
  if (intake.value) return <Progress {...intake.value} />;
  return (
    <div class="intake">
      <p class="muted">
        Drop it anywhere on this page: a PyTorch checkpoint, a HuggingFace folder of a Mamba, or a folder that
        was converted. It is read in this browser and sent nowhere; nothing in it is executed.
      </p>
      <div class="actions">
        <Chooser label="Choose files" onChoose={add} />
        <Chooser label="Choose a folder" isFolder onChoose={add} />
      </div>
      <UrlForm />
      <label class="field">
        Store weights as
        <select
          value={options.value.quantize}
          onChange={({ currentTarget: { value } }) => {
            options.value = { ...options.value, quantize: value as typeof options.value.quantize };
          }}
        >
          <option value="none">float32</option>
          <option value="float16">float16, half the size</option>
          <option value="uint8">uint8, a quarter of the size</option>
        </select>
      </label>
      <IntakeOptionFields />
    </div>
  );
}

interface ChooserProps {
  readonly label: string;
  readonly isFolder?: boolean;
  readonly onChoose: (source: IntakeSource) => void;
}

/** A button whose input is the browser's. */
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
          currentTarget.value = ''; // the same files may be chosen again
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
