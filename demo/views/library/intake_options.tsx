import { options } from '../../state/library.js';

/** Conversion options by their flags of `npx tfjs-grootvl convert`, which error messages and warnings mention. */
const CHOICES = [
  {
    name: 'stemStride',
    flag: '--stem-stride',
    title: 'Stride of the stem: GG-SSM 1, GrootV 2',
    values: [1, 2],
  },
  { name: 'scan', flag: '--scan', title: 'Scan', values: ['tree', 'raster', 'cross', 'chain'] },
  {
    name: 'metric',
    flag: '--metric',
    title: 'Edges are weighted by',
    values: ['cosine', 'euclidean', 'manhattan'],
  },
  { name: 'trees', flag: '--trees', title: 'One tree for each', values: ['block', 'stage'] },
  { name: 'aggregate', flag: '--aggregate', title: 'A vertex sums', values: ['all', 'root'] },
  { name: 'weights', flag: '--weights', title: 'Weights of a training run', values: ['model', 'model_ema'] },
  { name: 'useHsw', flag: '--use-hsw', title: 'UIS-Mamba: weaken the background', values: [true, false] },
] as const;
const FIELDS = [
  { name: 'key', flag: '--key', title: 'Keys that lead to the weights', example: 'trainer.student' },
  { name: 'prefix', flag: '--prefix', title: 'What stands before their names', example: 'student.backbone.' },
  { name: 'hswVarphi', flag: '--hsw-varphi', title: 'UIS-Mamba: factor of the background', example: '0.7' },
  { name: 'poolSize', flag: '--pool-size', title: 'UIS-Mamba: side of a cell', example: '2' },
] as const;
const NUMBERS: readonly string[] = ['hswVarphi', 'poolSize'];

/** How weights are stored, and settings that some checkpoints do not determine. */
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
      {CHOICES.map(({ name, flag, title, values }) => (
        <label key={name} class="field">
          <Title title={title} flag={flag} />
          <select
            value={String(options.value[name] ?? '')}
            onChange={({ currentTarget: { value } }) =>
              set({ [name]: values.find((each) => String(each) === value) })
            }
          >
            <option value="">as the checkpoint says</option>
            {values.map((value) => (
              <option key={String(value)}>{String(value)}</option>
            ))}
          </select>
        </label>
      ))}
      {FIELDS.map(({ name, flag, title, example }) => (
        <label key={name} class="field">
          <Title title={title} flag={flag} />
          <input
            inputMode={NUMBERS.includes(name) ? 'decimal' : 'text'}
            placeholder={example}
            onInput={({ currentTarget: { value } }) =>
              set({ [name]: value === '' ? undefined : NUMBERS.includes(name) ? Number(value) : value })
            }
          />
        </label>
      ))}
    </>
  );
}

function Title({ title, flag }: { readonly title: string; readonly flag: string }) {
  return (
    <span>
      {title} <code>{flag}</code>
    </span>
  );
}
