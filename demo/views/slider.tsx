import './slider.css';

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

/** A range with its label and its value, which is no `<output>`: a label names the first one that it holds. */
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
