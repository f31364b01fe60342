import './look.css';
import { image, isImage } from '../../state/images.js';
import { opened } from '../../state/library.js';
import { isLooking, lookAtFile, model } from '../../state/look.js';
import { AffinityFigures } from './affinity_figures.js';
import { BlockControls } from './block_controls.js';
import { DetectionFigure } from './detection_figure.js';
import { ImagePicker } from './image_picker.js';
import { Predictions } from './predictions.js';
import { SegmentationFigure } from './segmentation_figure.js';
import { TreeFigure } from './tree_figure.js';

/** Accepts an image from the clipboard, wherever on the page it is pasted. */
document.addEventListener('paste', (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find(isImage);
  if (!file) return;
  event.preventDefault();
  lookAtFile(file);
});

/** The panel for image models. */
export function LookPanel() {
  if (opened.value && !isLooking.value && !model.value) {
    return <p>{opened.value.title} takes no images. Open a model of images to look at one.</p>;
  }
  const kind = model.value?.kind;
  return (
    <>
      <div class="chosen">
        <ImagePicker />
        {kind === 'classifier' && <Predictions />}
      </div>
      {kind === 'classifier' && (
        <>
          <BlockControls />
          <div class="figures">
            <TreeFigure key={image.value.id} />
            <AffinityFigures />
          </div>
        </>
      )}
      {kind === 'segmenter' && <SegmentationFigure key={image.value.id} />}
      {kind === 'detector' && <DetectionFigure key={image.value.id} />}
    </>
  );
}
