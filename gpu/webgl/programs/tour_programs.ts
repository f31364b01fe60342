import type { PointProgram } from '../point_drawer.js';

/*
 * Euler tours: every edge of the spanning tree is traversed down and up. A traversal of an edge is a slot of the graph table
 * (graph_table.ts); a tour is a linked list of slots, (next slot or -1, slots from here to the end, sum over them), and (-1,
 * 0, 0) for an edge that is not in the tree.
 */

const SLOTS = `
  // (tail, head, edge, slot of the other direction)
  ivec4 slotAt(int slot) {
    return ivec4(texelOf(graph, edges + slot));
  }

  // The slots that leave a vertex, by ascending head: from x to before y.
  ivec2 slotsOf(int vertex) {
    return ivec2(texelOf(graph, 3 * edges + vertex).xy);
  }
`;

/** A tour from the root that cycles through the neighbours of each vertex, starting after the one it came from. */
export const ROUND_TOUR: PointProgram = {
  variableNames: ['graph', 'chosen'],
  uniforms: ['edges', 'root'],
  code: `
    ${SLOTS}
    int invocation(int point) {
      int slot = point % (2 * edges);
      int batch = point / (2 * edges);
      ivec4 own = slotAt(slot);
      value0.x = -1.0;
      if (texelOf(chosen, batch * edges + own.z).x == 0.0) return point;
      value0.y = 1.0;
      ivec2 range = slotsOf(own.y);
      int next = own.w;
      do {
        next = next + 1 < range.y ? next + 1 : range.x;
      } while (next != own.w && texelOf(chosen, batch * edges + slotAt(next).z).x == 0.0);
      if (own.y != root || next > own.w) value0.x = float(next);
      return point;
    }
  `,
};

/** List ranking: every slot adds the sums of the next `steps` slots, each of which may cover many. */
export const SUM_ALONG_TOUR: PointProgram = {
  variableNames: ['tour'],
  uniforms: ['slots', 'steps'],
  code: `
    int invocation(int point) {
      int batchStart = point - point % slots;
      vec4 own = texelOf(tour, point);
      for (int step = 0; step < steps && own.x >= 0.0; step++) {
        vec4 ahead = texelOf(tour, batchStart + int(own.x));
        own = vec4(ahead.x, own.yz + ahead.yz, 0);
      }
      value0 = own;
      return point;
    }
  `,
};

/**
 * From a ranked tour, which distinguishes down from up: the tour that visits the children of every vertex in ascending id.
 * It sums 1 for a traversal down and -1 for one up.
 */
export const ASCENDING_TOUR: PointProgram = {
  variableNames: ['graph', 'tour'],
  uniforms: ['edges'],
  code: `
    ${SLOTS}
    int invocation(int point) {
      int slot = point % (2 * edges);
      int batchStart = point - slot;
      ivec4 own = slotAt(slot);
      value0.x = -1.0;
      float toEnd = texelOf(tour, point).y;
      if (toEnd == 0.0) return point;
      bool isDown = toEnd > texelOf(tour, batchStart + own.w).y;
      value0.yz = vec2(1, isDown ? 1 : -1);

      ivec2 range = slotsOf(own.y);
      int up = isDown ? own.w : -1;
      for (int next = isDown ? range.x : own.w + 1; next < range.y; next++) {
        float here = texelOf(tour, batchStart + next).y;
        if (here == 0.0) continue;
        if (here > texelOf(tour, batchStart + slotAt(next).w).y) {
          value0.x = float(next);
          return point;
        }
        up = next;
      }
      // No further child: back up, unless this is the root.
      for (int next = range.x; up < 0 && next < own.w; next++) {
        float here = texelOf(tour, batchStart + next).y;
        if (here > 0.0 && here < texelOf(tour, batchStart + slotAt(next).w).y) up = next;
      }
      value0.x = float(up);
      return point;
    }
  `,
};

/**
 * By vertex, from a ranked ascending tour: (depth, number in the tour, parent), with the background value at the root. In
 * the order of (depth, number in a depth-first tour), vertices are breadth-first.
 */
export const TOUR_PLACES: PointProgram = {
  variableNames: ['graph', 'tour'],
  uniforms: ['edges', 'vertices'],
  code: `
    ${SLOTS}
    int invocation(int point) {
      int slot = point % (2 * edges);
      int batchStart = point - slot;
      ivec4 own = slotAt(slot);
      vec4 sums = texelOf(tour, point);
      if (sums.y <= texelOf(tour, batchStart + own.w).y) return NOWHERE;
      value0 = vec4(1.0 - sums.z, -sums.y, own.x, 0);
      return (point / (2 * edges)) * vertices + own.y;
    }
  `,
};

/** From the breadth-first position of every vertex: `order` and `parent`, one number per texel. */
export const BREADTH_FIRST: PointProgram = {
  variableNames: ['positions', 'places'],
  uniforms: ['vertices'],
  code: `
    int invocation(int point) {
      int vertex = point % vertices;
      int batchStart = point - vertex;
      int parent = int(texelOf(places, point).z);
      value0.x = float(vertex);
      value1.x = parent < 0 ? 0.0 : texelOf(positions, batchStart + parent).x;
      return batchStart + int(texelOf(positions, point).x);
    }
  `,
};
