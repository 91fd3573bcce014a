# find_package(rnnc): the compiler, the library as rnnc::rnnc, and rnnc_add_model.
get_filename_component(RNNC_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(RNNC_EXECUTABLE "${RNNC_PREFIX}/bin/rnnc")

if(NOT TARGET rnnc::rnnc)
  add_library(rnnc::rnnc SHARED IMPORTED)
  set_target_properties(rnnc::rnnc PROPERTIES
    IMPORTED_LOCATION "${RNNC_PREFIX}/lib/librnnc.so"
    INTERFACE_INCLUDE_DIRECTORIES "${RNNC_PREFIX}/include")
endif()

include("${CMAKE_CURRENT_LIST_DIR}/rnnc.cmake")
