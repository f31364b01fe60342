import { useComputed } from '@preact/signals';
import { block, colouring, tree, view } from '../../state/block.js';
import { model } from '../../state/look.js';
import { ZoomFigure } from './zoom_figure.js';

/** The block's tree over the image. */
export function TreeFigure() {
  const layers = useComputed(() => {
    const bitmap = tree.value ?? view.value?.backdrop; // until the tree is drawn
    return bitmap ? [{ bitmap, opacity: 1 }] : [];
  });
  if (view.value && !view.value.hasTree) {
    return <p>A cross scan goes along four paths, the same for every image: there is no tree to show.</p>;
  }
  const isPath = model.value?.kind === 'classifier' && model.value.scan === 'raster';
  const title = isPath ? 'Path of the raster scan' : `Tree of block ${block.value + 1}`;
  const isByDepth = colouring.value === 'depth' || !view.value?.hasDissimilarity;
  const hint = isByDepth ? 'light near its root, blue far away' : 'light where neighbours are unlike';
  return <ZoomFigure layers={layers} title={title} hint={hint} />;
}
