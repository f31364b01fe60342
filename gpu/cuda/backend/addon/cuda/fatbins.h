/** The device code inside the addon: one image for each .cu file. fatbins.cmake writes the definition. */
#pragma once

#include <vector>

namespace grootvl {

struct Fatbin {
  /** The file, without `.cu`. */
  const char* name;
  const void* image;
};

const std::vector<Fatbin>& fatbins();

}  // namespace grootvl
