# The Debian package: `deploy/make-deb`, or `cpack` in a build folder. One package: the programs are
# small, and who runs one of them soon wants the others.
#
# It is made by installing into an empty folder (CPACK_SET_DESTDIR), so that it is the same as what
# `cmake --install --prefix /usr` does.
set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME sluice)
set(CPACK_PACKAGE_CONTACT "The Sluice authors <sluice@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"A pool of threads runs jobs that services in any language push onto lists of
Redis. Every operation on Redis passes a semaphore before it takes a connection,
so that the pool of connections cannot be exhausted.
.
sluice-worker runs jobs, sluice-api serves HTTP, sluice is the operator's
command.")

# Each release has libraries of its own, so the version says which one a package is for.
set(ID unknown)
set(VERSION_ID "")
if(EXISTS /etc/os-release)
    file(STRINGS /etc/os-release lines REGEX "^(ID|VERSION_ID)=")
    foreach(line ${lines})
        string(REGEX MATCH "^([A-Z_]+)=\"?([^\"]*)" unused "${line}")
        set(${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
    endforeach()
endif()
set(CPACK_DEBIAN_PACKAGE_RELEASE "1~${ID}${VERSION_ID}")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "redis-server | valkey-server, python3")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(control conffiles postinst prerm postrm)
if(TARGET client_shared) # a library that others link: the loader has to learn of it
    list(APPEND control triggers)
endif()
foreach(file ${control})
    list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/deploy/debian/${file})
endforeach()
include(CPack)
