/** What scans know of a tree in breadth-first order, beside it: made once by tree_schedule, kept with the tree. */
#pragma once

/** 2 V + 3 numbers an image. The same number is in tree_schedule.ts. */
struct Schedule {
  int levels;
  /** [levels + 1] the position at which a level starts; at last V. */
  const int* starts;
  /** [V + 1] children of position i have the positions from children[i] to children[i + 1] - 1. */
  const int* children;

  __device__ Schedule(const int* schedules, size_t image, int numVertices) {
    const int* const at = schedules + image * (2 * (size_t)numVertices + 3);
    levels = at[0];
    starts = at + 1;
    children = starts + numVertices + 1;
  }
};
