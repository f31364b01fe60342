/** Elements chosen by a condition or an index, and sums of several tensors. */
#include "kernel.h"
#include "indexing.h"

/** y = condition ? a : b, where each element of the condition applies to `inner` neighbouring elements. */
#define SELECT(name, Element)                                                                       \
  KERNEL(name, THREADS, const unsigned char* __restrict__ condition, const Element* __restrict__ a, \
         const Element* __restrict__ b, Element* __restrict__ y, int size, int inner) {             \
    FOR_EACH(i, size) y[i] = (inner == 1 ? condition[i] : condition[i / inner]) ? a[i] : b[i];      \
  }

SELECT(select_1, unsigned char)
SELECT(select_4, unsigned)

/** y[i, depth]: `on` at indices[i], `off` elsewhere, both as bits. */
#define ONE_HOT(name, Element)                                                                                 \
  KERNEL(name, THREADS, const int* __restrict__ indices, Element* __restrict__ y, int size, int depth, int on, \
         int off) {                                                                                            \
    FOR_EACH(i, size) {                                                                                        \
      const unsigned row = i / depth;                                                                          \
      y[i] = (Element)(indices[row] == (int)(i - row * depth) ? on : off);                                     \
    }                                                                                                          \
  }

ONE_HOT(one_hot_1, unsigned char)
ONE_HOT(one_hot_4, int)

/** y = a + b + c + d, in this order; null ones are omitted. y may be a. */
#define ADD_N(name, Element, Sum)                                                                           \
  KERNEL(name, THREADS, const Element* a, const Element* b, const Element* c, const Element* d, Element* y, \
         int size) {                                                                                        \
    FOR_EACH(i, size) {                                                                                     \
      Sum sum = a[i];                                                                                       \
      if (b) sum += b[i];                                                                                   \
      if (c) sum += c[i];                                                                                   \
      if (d) sum += d[i];                                                                                   \
      y[i] = (Element)sum;                                                                                  \
    }                                                                                                       \
  }

ADD_N(add_n_f32, float, float)
ADD_N(add_n_i32, int, unsigned)
