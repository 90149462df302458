# Every library from outside; docs/DEPENDENCIES.md says why each is here.
#
# Each is an imported target that is linked PRIVATE by the one room that owns it, so that its
# headers and types do not spread.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)

pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis>=0.14)
pkg_check_modules(HIREDIS_SSL QUIET IMPORTED_TARGET hiredis_ssl)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.85)
pkg_check_modules(NCURSESW REQUIRED IMPORTED_TARGET ncursesw)
pkg_check_modules(GNUTLS REQUIRED IMPORTED_TARGET gnutls>=3.6.3)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.71)
if(SLUICE_TESTS)
    pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
endif()

if(HIREDIS_SSL_FOUND)
    message(STATUS "Redis over TLS: yes (hiredis_ssl ${HIREDIS_SSL_VERSION})")
else()
    message(STATUS "Redis over TLS: no (hiredis_ssl not found); rediss:// is refused at start")
endif()
