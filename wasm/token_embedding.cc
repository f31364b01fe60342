// Looks up columns of an embedding matrix by token, and their gradient.
#include <cstring>

#include "simd.h"

EXPORT void token_embedding(const int32_t* tokens,  // [count], from 0 to vocabulary - 1
                            const float* table,     // [H, vocabulary]
                            float* y,               // [count, H], the result
                            int count,
                            int hidden,  // H
                            int vocabulary) {
  for (int t = 0; t < count; t++) {
    const float* const column = table + tokens[t];
    for (int h = 0; h < hidden; h++) *y++ = column[size_t(h) * vocabulary];
  }
}

EXPORT void token_embedding_gradient(const int32_t* tokens,  // [count], from 0 to vocabulary - 1
                                     const float* dy,        // [count, H]
                                     float* dtable,          // [H, vocabulary], the result
                                     int count,
                                     int hidden,  // H
                                     int vocabulary) {
  memset(dtable, 0, sizeof(float) * hidden * vocabulary);
  for (int t = 0; t < count; t++) {
    float* const column = dtable + tokens[t];
    for (int h = 0; h < hidden; h++) column[size_t(h) * vocabulary] += *dy++;
  }
}
