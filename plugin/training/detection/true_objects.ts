/** Ground-truth objects of an image that a detector is trained on. */
import { type NamedTensorMap, Tensor, type Tensor4D } from '@tensorflow/tfjs-core';
import { show } from '../../models/checks.js';
import { MAX_BOXES } from '../../models/detector_metadata.js';

/** A ground-truth object. */
export interface TrueObject {
  /** Class, from 0. */
  readonly label: number;
  /** In pixels of the input, exclusive on the right and at the bottom. */
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  /** [H, W] of the input, row-major: 1 inside the object, else 0. */
  readonly mask: Uint8Array;
}

/** [G, 4] */
export function boxesOf(objects: readonly TrueObject[]): Float32Array {
  return Float32Array.from(objects.flatMap(({ box }) => [...box]));
}

/**
 * Returns height and width of the input.
 * @throws {Error} unless the objects are valid and lie in the image.
 */
export function checkObjects(
  inputs: NamedTensorMap | Tensor4D,
  objects: readonly TrueObject[],
  classes: number,
): [height: number, width: number] {
  const image = inputs instanceof Tensor ? inputs : (inputs.image ?? inputs.normalized);
  if (image?.rank !== 4 || image.shape[0] !== 1) {
    throw new Error(`detectionLosses: the image is [${image?.shape}], expected [1, H, W, 3]`);
  }
  const [, height, width] = image.shape;
  const fail = (what: string): never => {
    throw new Error(`detectionLosses: ${what}`);
  };
  if (objects.length > MAX_BOXES) fail(`${objects.length} objects, expected at most ${MAX_BOXES}`);
  for (const [g, { label, box, mask }] of objects.entries()) {
    if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
      fail(`label of object ${g} is ${show(label)}, expected 0 to ${classes - 1}`);
    }
    const [x1, y1, x2, y2] = box;
    if (!(x1 >= 0 && y1 >= 0 && x1 < x2 && y1 < y2 && x2 <= width && y2 <= height)) {
      fail(
        `box of object ${g} is [${box}], expected x1, y1, x2, y2 of an area in ${width} x ${height} pixels`,
      );
    }
    if (mask.length !== height * width) {
      fail(`mask of object ${g} has ${mask.length} pixels, expected ${height} x ${width}`);
    }
  }
  return [height, width];
}
