import { useComputed, useSignal } from '@preact/signals';
import { segmented } from '../../state/look.js';
import { Slider } from '../slider.js';
import { Legend } from './legend.js';
import { Measurement } from './measurement.js';
import { percent } from './predictions.js';
import { ZoomFigure } from './zoom_figure.js';

/** The image's pixel classes, and a legend. */
export function SegmentationFigure() {
  const opacity = useSignal(0.8);
  const layers = useComputed(() => {
    if (!segmented.value) return [];
    const { image, overlay } = segmented.value;
    return [
      { bitmap: image, opacity: 1 },
      { bitmap: overlay, opacity: opacity.value },
    ];
  });
  if (!segmented.value) return null;
  return (
    <div class="dense">
      <ZoomFigure layers={layers} title="The classes of the pixels" />
      <section aria-labelledby="classes-title">
        <h2 id="classes-title">Classes</h2>
        <Legend entries={segmented.value.classes.map((each) => ({ ...each, text: percent(each.share) }))} />
        <Slider
          label="Cover of the image"
          min={0}
          max={1}
          step={0.05}
          value={opacity.value}
          text={`${Math.round(100 * opacity.value)} %`}
          onInput={(value) => (opacity.value = value)}
        />
        <Measurement />
      </section>
    </div>
  );
}
