import { block, colouring, size, view } from '../../state/block.js';
import { model } from '../../state/look.js';
import { Slider } from '../slider.js';

const SIZES = { min: 64, max: 448, step: 32 };

/** Which block is shown, at which input size, and what the colours of the tree mean. */
export function BlockControls() {
  if (model.value?.kind !== 'classifier') return null;
  const { depths } = model.value;
  const blocks = depths.reduce((sum, depth) => sum + depth, 0);
  return (
    <div class="controls">
      <Slider
        label="Block"
        min={0}
        max={blocks - 1}
        value={block.value}
        text={`${block.value + 1} of ${blocks}, level ${levelOf(block.value, depths) + 1}`}
        onInput={(value) => (block.value = value)}
      />
      <Slider
        label="Size"
        {...SIZES}
        value={size.value}
        text={`${size.value} px${view.value ? `, ${view.value.width} × ${view.value.height} places` : ''}`}
        onInput={(value) => (size.value = value)}
      />
      {view.value?.hasDissimilarity && (
        <label class="choice">
          <span>Colours of the tree</span>
          <select
            value={colouring.value}
            onChange={({ currentTarget }) =>
              (colouring.value = currentTarget.value === 'depth' ? 'depth' : 'dissimilarity')
            }
          >
            <option value="depth">distance from the root</option>
            <option value="dissimilarity">dissimilarity of neighbours</option>
          </select>
        </label>
      )}
    </div>
  );
}

function levelOf(index: number, depths: readonly number[]): number {
  let end = 0;
  return depths.findIndex((depth) => {
    end += depth;
    return index < end;
  });
}
