# What Freshet links against. Nothing is optional by accident: a missing part
# stops the configure step and names its Debian package.
macro(freshet_require package apt_package)
  find_package(${package} ${ARGN} QUIET)
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "${package} was not found. Debian: apt install ${apt_package} "
                        "(or run ./dev setup)")
  endif()
endmacro()

freshet_require(Threads libc6-dev)
freshet_require(PkgConfig pkg-config)
freshet_require(fmt libfmt-dev)
freshet_require(spdlog libspdlog-dev)
freshet_require(CLI11 libcli11-dev)
freshet_require(yaml-cpp libyaml-cpp-dev)
freshet_require(nlohmann_json nlohmann-json3-dev)
freshet_require(SQLite3 libsqlite3-dev)
freshet_require(CURL libcurl4-openssl-dev)
freshet_require(OpenSSL libssl-dev)

# FindPostgreSQL asks for the server's headers, which libpq-dev does not ship.
pkg_check_modules(libpq IMPORTED_TARGET QUIET libpq)
if(NOT libpq_FOUND)
  message(FATAL_ERROR "libpq was not found. Debian: apt install libpq-dev (or run ./dev setup)")
endif()

if(FRESHET_BUILD_TESTS)
  freshet_require(GTest "libgtest-dev libgmock-dev")
  include(GoogleTest)
endif()
if(FRESHET_BUILD_BENCH)
  freshet_require(benchmark libbenchmark-dev)
endif()

function(freshet_print_features)
  message(STATUS "Freshet ${PROJECT_VERSION}: ${CMAKE_BUILD_TYPE}, "
                 "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
  foreach(row
      "source postgres|libpq ${libpq_VERSION}"
      "destination postgres|libpq ${libpq_VERSION}"
      "destination jsonl, null|ON"
      "state sqlite|SQLite ${SQLite3_VERSION}"
      "state postgres|libpq ${libpq_VERSION}"
      "embedder static|ON"
      "embedder http|libcurl ${CURL_VERSION_STRING}"
      "unit tests|${FRESHET_BUILD_TESTS}"
      "microbenchmarks|${FRESHET_BUILD_BENCH}"
      "fuzz targets|${FRESHET_BUILD_FUZZ}"
      "sanitizers|${FRESHET_SANITIZE}"
      "warnings are errors|${FRESHET_DEVELOPER_MODE}"
      "ccache|${FRESHET_CCACHE}")
    string(REGEX MATCH "^[^|]*" name "${row}")
    string(REGEX REPLACE "^[^|]*\\|" "" value "${row}")
    if(value STREQUAL "" OR value MATCHES "-NOTFOUND$")
      set(value "OFF")
    endif()
    string(LENGTH "${name}" length)
    math(EXPR pad "26 - ${length}")
    string(REPEAT " " ${pad} spaces)
    message(STATUS "  ${name}${spaces}${value}")
  endforeach()
endfunction()
