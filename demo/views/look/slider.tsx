interface SliderProps {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  readonly value: number;
  /** The value in words. */
  readonly text: string;
  readonly onInput: (value: number) => void;
}

/** A range with its label and its value. */
export function Slider({ label, text, onInput, ...range }: SliderProps) {
  return (
    <label class="slider">
      <span>{label}</span>
      <output>{text}</output>
      <input
        type="range"
        {...range}
        aria-valuetext={text}
        onInput={({ currentTarget }) => onInput(currentTarget.valueAsNumber)}
      />
    </label>
  );
}
