# rnnc_add_model(TARGET SPEC [WEIGHTS FILE] [OPTIONS OPTION...]): a static library of the network that
# SPEC describes. What links TARGET can include NAME.h. OPTIONS are those of `rnnc compile`, such as
# --define=hidden=40. The C is generated anew when the spec, the weights, a file of `rnnc tune` or
# rnnc itself changes, and compiled anew when it is another one.
function(rnnc_add_model target spec)
  cmake_parse_arguments(PARSE_ARGV 2 model "" "WEIGHTS" "OPTIONS")
  if(model_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "rnnc_add_model: unknown arguments: ${model_UNPARSED_ARGUMENTS}")
  endif()
  get_filename_component(spec "${spec}" ABSOLUTE)
  set(options ${model_OPTIONS})
  if(model_WEIGHTS)
    get_filename_component(weights "${model_WEIGHTS}" ABSOLUTE)
    list(APPEND options "--weights=${weights}")
  endif()

  # Names come from the spec, so that another spec is another configuration.
  execute_process(COMMAND "${RNNC_EXECUTABLE}" compile --list "${spec}" ${options}
    OUTPUT_VARIABLE files ERROR_VARIABLE message RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "rnnc_add_model(${target}):\n${message}")
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${spec}")

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}")
  string(REGEX REPLACE "\n$" "" files "${files}")
  string(REPLACE "\n" ";" files "${files}")
  list(TRANSFORM files PREPEND "${folder}/")
  set(sources ${files})
  list(FILTER sources INCLUDE REGEX "[.]c$")

  # rnnc leaves a file alone that would not change. The stamp tells make that it has run.
  set(stamp "${folder}.stamp")
  add_custom_command(OUTPUT "${stamp}" BYPRODUCTS ${files}
    COMMAND "${RNNC_EXECUTABLE}" compile "${spec}" ${options} -o "${folder}"
            "--depfile=${folder}.d" "--depfile-target=${stamp}"
    COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
    DEPENDS "${spec}" "${RNNC_EXECUTABLE}" ${weights} DEPFILE "${folder}.d"
    COMMENT "rnnc compile ${target}" VERBATIM)
  add_custom_target(${target}-generate DEPENDS "${stamp}")
  add_library(${target} STATIC ${sources})
  add_dependencies(${target} ${target}-generate)
  target_include_directories(${target} PUBLIC "${folder}")
  if(UNIX)
    target_link_libraries(${target} PUBLIC m)
  endif()
endfunction()
