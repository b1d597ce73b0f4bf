# Packages, warnings, sanitizers, and the two helpers that every folder uses: weir_library() and weir_test().

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(absl REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(ZLIB REQUIRED)
find_library(ISAL_LIBRARY isal REQUIRED)
find_path(ISAL_INCLUDE_DIR isa-l/igzip_lib.h REQUIRED)
add_library(ISAL::isal UNKNOWN IMPORTED)
set_target_properties(ISAL::isal PROPERTIES
  IMPORTED_LOCATION ${ISAL_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${ISAL_INCLUDE_DIR})
find_library(NGHTTP2_LIBRARY nghttp2 REQUIRED)
find_path(NGHTTP2_INCLUDE_DIR nghttp2/nghttp2.h REQUIRED)
add_library(NGHTTP2::nghttp2 UNKNOWN IMPORTED)
set_target_properties(NGHTTP2::nghttp2 PROPERTIES
  IMPORTED_LOCATION ${NGHTTP2_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${NGHTTP2_INCLUDE_DIR})
if(WEIR_TESTS OR WEIR_FUZZ)
  find_package(GTest REQUIRED)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Everything of ours is compiled with these; libraries are SYSTEM and are not.
add_library(weir_options INTERFACE)
target_compile_options(weir_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Wimplicit-fallthrough -Werror
  -fno-omit-frame-pointer)
target_include_directories(weir_options INTERFACE ${CMAKE_SOURCE_DIR})
# One io_context a thread, no deprecated Asio, no Boost.Asio's own SSL headers.
target_compile_definitions(weir_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_USE_STD_STRING_VIEW
  $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12's std::stable_sort calls what it deprecates itself; GCC still warns of deprecated calls that are ours.
  target_compile_options(weir_options INTERFACE -Wthread-safety -Wno-deprecated-declarations)
else()
  # GCC 12 warns, wrongly, of uninitialised members inside coroutine frames and of how those frames are freed.
  target_compile_options(weir_options INTERFACE -fcoroutines -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
endif()

# What makes a hole in memory safety harder to use; tests/e2e/binary_test.go looks for each in the built program.
# Not under sanitizers, which find the hole itself and know of none of these.
if(NOT WEIR_SANITIZE)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES CXX)
  add_compile_options(-fstack-protector-strong)
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|aarch64")
    add_compile_options(-fstack-clash-protection)
  endif()
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    add_compile_options(-fcf-protection=full)
  elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
    add_compile_options(-mbranch-protection=standard)
  endif()
  # Needs optimisation. 3 also checks sizes that are known at run time only.
  add_compile_options($<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
endif()

if(WEIR_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
elseif(WEIR_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # Boost.Asio's fences: TSan does not model them, and GCC warns of each.
  endif()
  add_link_options(-fsanitize=thread)
endif()

# weir_library(NAME DEPS x y …): a static library of all sources in the calling folder. A folder is a library.
function(weir_library name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE weir_options)
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ARG_DEPS})
    target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR})
  endif()
endfunction()

# weir_executable(NAME SRCS a.cc … DEPS x y …): a program, in bin/.
function(weir_executable name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} weir_options)
endfunction()

# weir_tests(DEPS x y … [LABELS threaded] [ONLY a_test.cc …]): every *_test.cc of the calling folder as one GoogleTest
# program and one CTest entry, named after the file. Tests that start threads carry the label `threaded` and run
# under TSan too; a folder with both kinds calls it twice, with ONLY.
function(weir_tests)
  cmake_parse_arguments(ARG "" "" "DEPS;LABELS;ONLY" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *_test.cc)
  if(ARG_ONLY)
    list(TRANSFORM ARG_ONLY PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    set(sources ${ARG_ONLY})
  endif()
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main weir_options)
    add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
    set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS "${ARG_LABELS}")
  endforeach()
endfunction()

# weir_fuzz(DEPS x y …): every *_fuzz.cc of the calling folder (LLVMFuzzerTestOneInput). With WEIR_FUZZ a libFuzzer
# program; else a program that replays corpus/<name>/, as a CTest entry.
function(weir_fuzz)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *_fuzz.cc)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" what ${name})
    if(WEIR_FUZZ)
      add_executable(${name} ${source})
      target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
      add_executable(${name} ${source} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
      add_test(NAME ${name}_replay COMMAND ${name} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${what})
      set_tests_properties(${name}_replay PROPERTIES TIMEOUT 300)
    endif()
    target_link_libraries(${name} PRIVATE ${ARG_DEPS} weir_options)
  endforeach()
endfunction()
