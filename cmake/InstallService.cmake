# Run by `cmake --install` with source, bindir and scratch: units, their user and the settings.
#
# Settings lie in /etc when the prefix is /usr, else in etc of the prefix, as GNU has it. Files of
# settings that are there are kept: whoever installs anew has edited them. (A package is made with
# an empty DESTDIR, and there dpkg sees to that.)
set(BINDIR "${CMAKE_INSTALL_PREFIX}/${bindir}")
if(CMAKE_INSTALL_PREFIX MATCHES "^/usr/?$")
    set(ETCDIR /etc/sluice)
else()
    set(ETCDIR "${CMAKE_INSTALL_PREFIX}/etc/sluice")
endif()

foreach(unit sluice-worker@.service sluice-api.service)
    configure_file(${source}/deploy/systemd/${unit} ${scratch}/${unit} @ONLY)
    file(INSTALL ${scratch}/${unit} DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/systemd/system")
endforeach()
file(INSTALL ${source}/deploy/systemd/sluice.conf
    DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/sysusers.d")

foreach(settings worker.yaml api.yaml)
    if(NOT EXISTS "$ENV{DESTDIR}${ETCDIR}/${settings}")
        file(INSTALL ${source}/config/${settings} DESTINATION ${ETCDIR})
    endif()
endforeach()
