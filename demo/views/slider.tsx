import './slider.css';

interface SliderProps {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  readonly value: number;
  /** The value as text. */
  readonly text: string;
  readonly onInput: (value: number) => void;
}

/**
 * A range input with its label and its value. The value is not an `<output>`, because a label applies to the first labelable
 * element that it contains.
 */
export function Slider({ label, text, onInput, ...range }: SliderProps) {
  return (
    <label class="slider">
      <span>{label}</span>
      <span class="muted">{text}</span>
      <input
        type="range"
        {...range}
        aria-valuetext={text}
        onInput={({ currentTarget }) => onInput(currentTarget.valueAsNumber)}
      />
    </label>
  );
}
