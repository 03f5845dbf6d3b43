# Target functions. File names decide what a file is part of:
#   name.cc                the folder's static library freshet_<name>
#   name_test.cc           freshet_<name>_test, run by ctest
#   name_pgtest.cc         freshet_<name>_pgtest, run by tests/test_pgtests.py, which names a
#                          superuser's URI of an empty database in FRESHET_TEST_PG
#   testing/*.cc           fakes and fixtures, compiled into both test programs
#   name_fuzz.cc           one libFuzzer program each in the fuzz preset; elsewhere only compiled
#   name_bench.cc          the one program freshet_microbench

define_property(GLOBAL PROPERTY FRESHET_BENCH_SOURCES BRIEF_DOCS "All *_bench.cc files")
define_property(GLOBAL PROPERTY FRESHET_LIBRARIES BRIEF_DOCS "All freshet_* libraries")

if(FRESHET_BUILD_FUZZ)
  add_custom_target(freshet_fuzz COMMENT "All fuzz targets, without the rest")
endif()

# freshet_library(NAME DIR deps...): the library freshet_NAME from src/DIR.
# An empty folder gives an INTERFACE library, so that others can depend on it.
function(freshet_library name dir)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${dir}/*.cc")
  set(tests ${sources})
  set(pgtests ${sources})
  set(fuzzers ${sources})
  set(benches ${sources})
  set(testing ${sources})
  list(FILTER sources EXCLUDE REGEX "(_(test|pgtest|fuzz|bench)\\.cc|/testing/[^/]*\\.cc)$")
  list(FILTER sources EXCLUDE REGEX "/cli/main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER pgtests INCLUDE REGEX "_pgtest\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER testing INCLUDE REGEX "/testing/[^/]*\\.cc$")
  list(FILTER testing EXCLUDE REGEX "_(test|pgtest|fuzz|bench)\\.cc$")
  freshet_embed_sql("${dir}")

  set(target "freshet_${name}")
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope}
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>"
    "$<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>")
  target_compile_definitions(${target} ${scope} "FRESHET_VERSION=\"${PROJECT_VERSION}\"")
  target_link_libraries(${target} ${scope} freshet_compiler ${ARGN})
  set_property(GLOBAL APPEND PROPERTY FRESHET_LIBRARIES ${target})
  set_property(GLOBAL APPEND PROPERTY FRESHET_BENCH_SOURCES ${benches})

  if(FRESHET_BUILD_TESTS AND tests)
    add_executable(${target}_test ${tests} ${testing})
    target_link_libraries(${target}_test PRIVATE ${target} GTest::gmock GTest::gtest_main)
    gtest_discover_tests(${target}_test DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120 TEST_PREFIX "${name}."
      WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" PROPERTIES TIMEOUT 300 LABELS "${name}")
  endif()
  if(FRESHET_BUILD_TESTS AND pgtests)
    add_executable(${target}_pgtest ${pgtests} ${testing})
    target_link_libraries(${target}_pgtest PRIVATE ${target} GTest::gmock GTest::gtest_main)
  endif()
  if(FRESHET_BUILD_TESTS AND NOT FRESHET_BUILD_FUZZ AND fuzzers)
    # Compiled alone, so that no change leaves them behind.
    add_library(${target}_fuzz OBJECT ${fuzzers})
    target_link_libraries(${target}_fuzz PRIVATE ${target})
  endif()
  if(FRESHET_BUILD_FUZZ)
    foreach(fuzzer IN LISTS fuzzers)
      get_filename_component(stem "${fuzzer}" NAME_WE)
      add_executable(${stem} "${fuzzer}")
      target_link_libraries(${stem} PRIVATE ${target})
      target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
      add_dependencies(freshet_fuzz ${stem})
    endforeach()
  endif()
endfunction()

# freshet_executable(NAME MAIN deps...): absent until src/MAIN exists.
function(freshet_executable name main)
  file(GLOB main_file CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${main}")
  if(main_file)
    add_executable(${name} "${main_file}")
    target_link_libraries(${name} PRIVATE ${ARGN})
    install(TARGETS ${name} RUNTIME)
  endif()
endfunction()

# freshet_microbench(): all *_bench.cc files as one Google Benchmark program.
function(freshet_microbench)
  get_property(sources GLOBAL PROPERTY FRESHET_BENCH_SOURCES)
  get_property(libraries GLOBAL PROPERTY FRESHET_LIBRARIES)
  if(FRESHET_BUILD_BENCH AND sources)
    add_executable(freshet_microbench ${sources})
    target_link_libraries(freshet_microbench PRIVATE ${libraries} benchmark::benchmark_main)
  endif()
endfunction()
