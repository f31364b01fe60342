import { useComputed } from '@preact/signals';
import { detected, objectDrawing, threshold } from '../../state/look.js';
import { Slider } from '../slider.js';
import { Legend } from './legend.js';
import { Measurement } from './measurement.js';
import { ZoomFigure } from './zoom_figure.js';

/** The objects in the image, drawn and as a list. */
export function DetectionFigure() {
  const layers = useComputed(() =>
    objectDrawing.value ? [{ bitmap: objectDrawing.value, opacity: 1 }] : [],
  );
  if (!detected.value) return null;
  const { objects } = detected.value;
  const shown = objects.filter(({ score }) => score >= threshold.value);
  return (
    <div class="dense">
      <ZoomFigure layers={layers} title="The objects found" />
      <section aria-labelledby="objects-title">
        <h2 id="objects-title">
          {shown.length} of {objects.length} objects
        </h2>
        <Slider
          label="Least score"
          min={0.05}
          max={0.95}
          step={0.05}
          value={threshold.value}
          text={threshold.value.toFixed(2)}
          onInput={(value) => (threshold.value = value)}
        />
        <Legend entries={shown.map((each) => ({ ...each, text: each.score.toFixed(2) }))} />
        <Measurement />
      </section>
    </div>
  );
}
