import './write.css';
import { library, open, opened } from '../../state/library.js';
import { ending, generate, isWriting, options, pace, prompt, stop, written } from '../../state/write.js';
import { PromptTree } from './prompt_tree.js';

/** The panel for language models. */
export function WritePanel() {
  if (opened.value?.family !== 'GrootL') return <NoLanguageModel />;
  return (
    <>
      <form
        class="write"
        onSubmit={(event) => {
          event.preventDefault();
          generate();
        }}
      >
        <label for="prompt">Prompt</label>
        <textarea
          id="prompt"
          rows={4}
          value={prompt.value}
          onInput={({ currentTarget }) => (prompt.value = currentTarget.value)}
        />
        <div class="fields">
          <NumberField option="maxTokens" label="New tokens, at most" min={1} max={10_000} required />
          <NumberField option="temperature" label="Temperature" min={0} max={10} step="any" required />
          <NumberField option="topK" label="Top k" min={1} placeholder="all" />
          <NumberField option="topP" label="Top p" min={0.01} max={1} step="any" placeholder="1" />
          <NumberField option="seed" label="Seed" min={0} placeholder="any" />
        </div>
        <p class="actions">
          <button type="submit" class="primary" disabled={isWriting.value}>
            Generate
          </button>
          <button type="button" disabled={!isWriting.value} onClick={stop}>
            Stop
          </button>
        </p>
      </form>
      <Written />
      <PromptTree />
    </>
  );
}

function NoLanguageModel() {
  const offered = library.value?.models.find(({ family }) => family === 'GrootL');
  return (
    <>
      <p>Open a language model to continue a text: a HuggingFace folder of a GrootL or Mamba model.</p>
      {offered && (
        <button type="button" onClick={() => open(offered.id)}>
          Open “{offered.title}”
        </button>
      )}
    </>
  );
}

interface NumberFieldProps {
  readonly option: 'maxTokens' | 'temperature' | 'topK' | 'topP' | 'seed';
  readonly label: string;
  readonly min: number;
  readonly max?: number;
  readonly step?: 'any';
  readonly required?: boolean;
  /** Shown if there is no number: its meaning. */
  readonly placeholder?: string;
}

function NumberField({ option, label, ...limits }: NumberFieldProps) {
  const change = (value: number) => {
    options.value = { ...options.value, [option]: Number.isNaN(value) ? undefined : value };
  };
  return (
    <label>
      {label}
      <input
        type="number"
        {...limits}
        value={options.value[option]}
        onInput={({ currentTarget }) => change(currentTarget.valueAsNumber)}
      />
    </label>
  );
}

/** The text as it is generated. It is announced once, when it is complete. */
function Written() {
  const { prompt: given, text } = written.value ?? {};
  return (
    <>
      <p class="visually-hidden" role="status">
        {ending.value && `Ended, ${ending.value}: ${text}`}
      </p>
      {text !== undefined && (
        <section aria-label="Text" aria-busy={isWriting.value}>
          <p class="written">
            <span class="muted">{given}</span>
            <span class="continuation">{text}</span>
          </p>
          <p class="muted pace">{paceInWords()}</p>
        </section>
      )}
    </>
  );
}

function paceInWords(): string {
  const { tokens, firstTokenMs, tokensPerSecond } = pace.value ?? {};
  if (tokens === undefined || firstTokenMs === undefined) return ending.value ?? 'Reading the prompt';
  return [
    `${tokens} ${tokens === 1 ? 'token' : 'tokens'}`,
    `first token after ${firstTokenMs.toFixed(0)} ms`,
    tokensPerSecond && `${tokensPerSecond.toFixed(1)} tokens a second`,
    ending.value,
  ]
    .filter(Boolean)
    .join(', ');
}
