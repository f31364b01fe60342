import { options } from '../../state/library.js';

/** Choices of the conversion, by their names in `npx tfjs-grootvl convert`, which refusals and warnings mention. */
const CHOICES = [
  {
    name: 'stemStride',
    flag: '--stem-stride',
    title: 'Stride of the stem: 1 of GG-SSM, 2 of GrootV',
    values: [1, 2],
  },
  {
    name: 'scan',
    flag: '--scan',
    title: 'Scan: chain is of language models',
    values: ['tree', 'raster', 'cross', 'chain'],
  },
  {
    name: 'metric',
    flag: '--metric',
    title: 'What trees are made by',
    values: ['cosine', 'euclidean', 'manhattan'],
  },
  { name: 'trees', flag: '--trees', title: 'A tree for each', values: ['block', 'stage'] },
  {
    name: 'weights',
    flag: '--weights',
    title: 'Weights of a training checkpoint',
    values: ['model', 'model_ema'],
  },
] as const;
const TEXTS = [
  { name: 'key', flag: '--key', title: 'Keys that lead to the weights, such as trainer.student' },
  { name: 'prefix', flag: '--prefix', title: 'What stands before their names, such as student.backbone.' },
] as const;
const WEAKENING = [
  { name: 'useHsw', flag: '--use-hsw', title: 'UIS-Mamba: weaken the background', values: [true, false] },
] as const;

/** How weights are stored, and what those of some checkpoints do not tell. */
export function IntakeOptions() {
  const set = (change: object) => {
    options.value = { ...options.value, ...change };
  };
  return (
    <>
      <label class="field">
        Store weights as
        <select
          value={options.value.quantize}
          onChange={({ currentTarget: { value } }) => set({ quantize: value })}
        >
          <option value="none">float32</option>
          <option value="float16">float16, half the size</option>
          <option value="uint8">uint8, a quarter of the size</option>
        </select>
      </label>
      <p class="muted">
        What some checkpoints do not say by themselves; a refusal tells which of these is missing.
      </p>
      {CHOICES.map((choice) => (
        <Choice
          key={choice.name}
          {...choice}
          value={options.value[choice.name]}
          onChoose={(value) => set({ [choice.name]: value })}
        />
      ))}
      {TEXTS.map(({ name, flag, title }) => (
        <label key={name} class="field">
          {title} <code>{flag}</code>
          <input
            value={options.value[name] ?? ''}
            onInput={({ currentTarget: { value } }) => set({ [name]: value || undefined })}
          />
        </label>
      ))}
      {WEAKENING.map((choice) => (
        <Choice
          key={choice.name}
          {...choice}
          value={options.value.uisMamba?.[choice.name]}
          onChoose={(value) => set({ uisMamba: value === undefined ? undefined : { [choice.name]: value } })}
        />
      ))}
    </>
  );
}

interface ChoiceProps<T> {
  readonly flag: string;
  readonly title: string;
  readonly values: readonly T[];
  readonly value: T | undefined;
  readonly onChoose: (value: T | undefined) => void;
}

function Choice<T extends string | number | boolean>({
  flag,
  title,
  values,
  value,
  onChoose,
}: ChoiceProps<T>) {
  return (
    <label class="field">
      {title} <code>{flag}</code>
      <select
        value={value === undefined ? '' : String(value)}
        onChange={({ currentTarget }) =>
          onChoose(values.find((each) => String(each) === currentTarget.value))
        }
      >
        <option value="">What the checkpoint says</option>
        {values.map((each) => (
          <option key={String(each)}>{String(each)}</option>
        ))}
      </select>
    </label>
  );
}
