import type { PointProgram } from '../point_drawer.js';

/*
 * The layers of tree_tables.ts, one texture each. Both ends of the range of descendants at distance n are the first position
 * whose ancestor at distance n is not before a given one. This is a monotone map, as is that to the ancestor, so that both
 * double when applied to themselves.
 */

/** Layer 0 and layer 1, whose ranges are found by binary search: parents ascend with the position. */
export const FIRST_LAYERS: PointProgram = {
  variableNames: ['order', 'parent', 'positions', 'places'],
  uniforms: ['vertices'],
  code: `
    int firstBelow(int batchStart, int above) {
      int low = 1;
      int high = vertices;
      while (low < high) {
        int middle = (low + high) / 2;
        if (int(texelOf(parent, batchStart + middle).x) < above) low = middle + 1;
        else high = middle;
      }
      return low;
    }

    int invocation(int point) {
      int i = point % vertices;
      int batchStart = point - i;
      value0 = vec4(texelOf(order, point).x, texelOf(positions, point).x, texelOf(places, point).z, 0);
      value1 = vec4(
        i == 0 ? -1.0 : texelOf(parent, point).x,
        firstBelow(batchStart, i),
        firstBelow(batchStart, i + 1),
        0
      );
      return point;
    }
  `,
};

/** Maximum number of layers that MORE_LAYERS makes. */
export const LAYERS_A_DRAW = 4;

/** From the layer of distance n, those of 2n, 4n, 8n and 16n. */
export const MORE_LAYERS: PointProgram = {
  variableNames: ['layer'],
  uniforms: ['vertices', 'count'],
  code: `
    vec4 applied(vec4 reach, int batchStart, int times) {
      for (int i = 0; i < times; i++) {
        if (reach.x >= 0.0) reach.x = texelOf(layer, batchStart + int(reach.x)).x;
        for (int end = 1; end < 3; end++) {
          if (int(reach[end]) < vertices) reach[end] = texelOf(layer, batchStart + int(reach[end])).y;
        }
      }
      return reach;
    }

    int invocation(int point) {
      int batchStart = point - point % vertices;
      value0 = applied(texelOf(layer, point), batchStart, 1);
      if (count > 1) value1 = applied(value0, batchStart, 2);
      if (count > 2) value2 = applied(value1, batchStart, 4);
      if (count > 3) value3 = applied(value2, batchStart, 8);
      return point;
    }
  `,
};
