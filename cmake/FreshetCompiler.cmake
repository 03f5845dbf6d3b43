# Compiler settings that every Freshet target shares, as the interface target
# freshet_compiler. Third-party flags stay out of the global scope.
include(CheckPIESupported)
check_pie_supported()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# -O1: the integration tests push real load through this build.
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

# CCACHE_BASEDIR lets build trees, and clones, share what was compiled.
find_program(FRESHET_CCACHE ccache)
if(FRESHET_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1
      "${FRESHET_CCACHE}")
endif()

add_library(freshet_compiler INTERFACE)
target_compile_features(freshet_compiler INTERFACE cxx_std_20)
target_compile_options(freshet_compiler INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wold-style-cast -Wimplicit-fallthrough
  -fno-omit-frame-pointer "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")
if(FRESHET_DEVELOPER_MODE)
  target_compile_options(freshet_compiler INTERFACE -Werror)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(freshet_compiler INTERFACE -fstack-protector-strong -U_FORTIFY_SOURCE
    -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS)
  target_link_options(freshet_compiler INTERFACE -Wl,-z,relro,-z,now)
else()
  target_compile_definitions(freshet_compiler INTERFACE _GLIBCXX_ASSERTIONS)
endif()

if(FRESHET_SANITIZE)
  target_compile_options(freshet_compiler INTERFACE "-fsanitize=${FRESHET_SANITIZE}"
    -fno-sanitize-recover=all)
  target_link_options(freshet_compiler INTERFACE "-fsanitize=${FRESHET_SANITIZE}")
  if(FRESHET_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 warns that fences are not seen by tsan; the standard library uses them.
    target_compile_options(freshet_compiler INTERFACE -Wno-tsan)
  endif()
endif()
if(FRESHET_BUILD_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "FRESHET_BUILD_FUZZ needs clang: apt install clang-19, then "
                        "cmake --preset fuzz")
  endif()
  target_compile_options(freshet_compiler INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(FRESHET_COVERAGE AND FRESHET_BUILD_FUZZ)
  # Clang's own format, which ./dev fuzz --coverage reads.
  target_compile_options(freshet_compiler INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(freshet_compiler INTERFACE -fprofile-instr-generate)
elseif(FRESHET_COVERAGE)
  target_compile_options(freshet_compiler INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(freshet_compiler INTERFACE --coverage)
endif()
