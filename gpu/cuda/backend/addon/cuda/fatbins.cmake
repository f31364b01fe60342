# The addon for GPUs: each .cu file becomes a fat binary, which the assembler puts into the addon as it is.
find_program(NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME /usr/local/cuda PATH_SUFFIXES bin)
if(NOT NVCC)
  return()
endif()
execute_process(COMMAND ${NVCC} --version OUTPUT_VARIABLE version COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "release ([0-9]+\\.[0-9]+)" version "${version}")
set(TOOLKIT_VERSION ${CMAKE_MATCH_1})
if(TOOLKIT_VERSION VERSION_LESS 12)
  message(STATUS "CUDA toolkit ${TOOLKIT_VERSION} is too old")
  return()
endif()

# Code for each generation of GPUs that the toolkit knows. Later minor versions run that of an earlier one: 8.7 that of
# 8.6, 10.3 that of 10.0. What has another major version, 11.0 or one to come, is compiled by the driver from PTX:
# that of 10.0, which is older than all of them, or else the newest there is. "90-virtual" is the PTX of 9.0 alone.
set(GENERATIONS "75;80;86;89;90;100;120" CACHE STRING "compute capabilities, times ten")
execute_process(COMMAND ${NVCC} --list-gpu-code OUTPUT_VARIABLE known COMMAND_ERROR_IS_FATAL ANY)
set(TARGETS)
foreach(capability ${GENERATIONS})
  if(capability MATCHES "^([0-9]+)-virtual$")
    set(newest ${CMAKE_MATCH_1})
  elseif(known MATCHES "sm_${capability}[^0-9a-z]")
    list(APPEND TARGETS -gencode arch=compute_${capability},code=sm_${capability})
    if(capability LESS_EQUAL 100)
      set(newest ${capability})
    endif()
  endif()
endforeach()
list(APPEND TARGETS -gencode arch=compute_${newest},code=compute_${newest})

# A quarter of the size. The unpacking needs a driver that CUDA 13 needs anyway.
set(COMPRESSION)
if(TOOLKIT_VERSION VERSION_GREATER_EQUAL 13)
  set(COMPRESSION --compress-mode=size)
endif()

set(INCLUDES ${KERNEL_FOLDERS})
list(TRANSFORM INCLUDES PREPEND -I)
set(FATBINS)
set(IMAGES "")
set(TABLE "")
file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fatbins)
foreach(kernel ${KERNELS})
  get_filename_component(name ${kernel} NAME_WE)
  set(fatbin ${CMAKE_CURRENT_BINARY_DIR}/fatbins/${name}.fatbin)
  add_custom_command(OUTPUT ${fatbin}
    COMMAND ${NVCC} -fatbin -O3 -std=c++17 --fmad=true ${TARGETS} ${COMPRESSION} ${INCLUDES} -MD -MF ${fatbin}.d -MT ${fatbin}
      -o ${fatbin} ${kernel}
    DEPENDS ${kernel}
    DEPFILE ${fatbin}.d
    COMMENT "Compiling ${name}.cu for GPUs"
    VERBATIM)
  list(APPEND FATBINS ${fatbin})
  string(APPEND IMAGES
    "asm(\".section .rodata\\n.balign 64\\n.hidden fatbin_${name}\\n.globl fatbin_${name}\\n\"\n"
    "    \"fatbin_${name}: .incbin \\\"${fatbin}\\\"\\n.previous\\n\");\n"
    "extern \"C\" const unsigned char fatbin_${name}[];\n")
  string(APPEND TABLE "      {\"${name}\", fatbin_${name}},\n")
endforeach()
set(source ${CMAKE_CURRENT_BINARY_DIR}/fatbins/fatbins.cc)
file(CONFIGURE OUTPUT ${source} CONTENT
"#include \"cuda/fatbins.h\"

${IMAGES}
namespace grootvl {

const std::vector<Fatbin>& fatbins() {
  static const std::vector<Fatbin> all = {
${TABLE}  };
  return all;
}

}  // namespace grootvl
" @ONLY)
set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${FATBINS}")

add_addon(grootvl_cuda
  cuda/context.cc cuda/cuda_driver.cc cuda/driver_api.cc cuda/matrix_library.cc cuda/staging.cc ${source})
target_include_directories(grootvl_cuda PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
get_filename_component(bin ${NVCC} DIRECTORY)
find_path(CUDA_HEADERS cuda.h HINTS ${bin}/../include)
if(CUDA_HEADERS)
  target_sources(grootvl_cuda PRIVATE cuda/driver_api_check.cc)
  set_source_files_properties(cuda/driver_api_check.cc PROPERTIES INCLUDE_DIRECTORIES ${CUDA_HEADERS})
endif()
# As the driver counts: 13000 is 13.0.
string(REGEX REPLACE "^([0-9]+)\\.([0-9]+)$" "\\1 * 1000 + \\2 * 10" number "${TOOLKIT_VERSION}")
math(EXPR number "${number}")
target_compile_definitions(grootvl_cuda PRIVATE GROOTVL_TOOLKIT_VERSION=${number})
