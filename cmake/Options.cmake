# How the code is compiled: language level, warnings, sanitizers, coverage.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

option(SLUICE_TESTS "Build the tests (needs check)" ON)
option(SLUICE_FUZZ "Build the fuzz targets (clang only)" OFF)
set(SLUICE_SANITIZE "" CACHE STRING "Sanitizers, comma separated: address,undefined or thread")
option(SLUICE_COVERAGE "Instrument for gcov" OFF)
option(SLUICE_WERROR "Treat warnings as errors" ON)

add_compile_definitions(_GNU_SOURCE SLUICE_VERSION="${PROJECT_VERSION}")
add_compile_options(-Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes
                    -Wformat=2 -Wvla -Wpointer-arith -Wwrite-strings -Wundef
                    -fno-common -fstack-protector-strong)
if(SLUICE_WERROR)
    add_compile_options(-Werror)
endif()
if(SLUICE_SANITIZE)
    add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer
                        -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${SLUICE_SANITIZE})
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    add_link_options(-Wl,-z,relro,-z,now)
endif()
if(SLUICE_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
endif()
