# What `cmake --install` puts where, by GNUInstallDirs; cmake/Package.cmake makes a package of it.
#
# The manual pages and the completions are printed by the programs that were just built, so they
# always tell of these. (Not under a sanitizer, whose programs nobody installs.)
include(GNUInstallDirs)

set(printed ${CMAKE_BINARY_DIR}/printed)
# sluice_printed(FILE TARGET arguments…): FILE is what TARGET prints when it is run so.
function(sluice_printed file target)
    add_custom_command(OUTPUT ${printed}/${file}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${printed}
        COMMAND ${target} ${ARGN} > ${printed}/${file}
        DEPENDS ${target} VERBATIM)
    set_property(GLOBAL APPEND PROPERTY SLUICE_PRINTED ${printed}/${file})
endfunction()

sluice_printed(sluice.1 sluice help --man)
sluice_printed(sluice-worker.8 sluice-worker --man)
sluice_printed(sluice-api.8 sluice-api --man)
sluice_printed(completion.bash sluice help --completion bash)
sluice_printed(completion.zsh sluice help --completion zsh)
sluice_printed(completion.fish sluice help --completion fish)
get_property(texts GLOBAL PROPERTY SLUICE_PRINTED)
add_custom_target(printed ALL DEPENDS ${texts})

install(TARGETS sluice sluice-worker sluice-api RUNTIME)
install(TARGETS sluice-limit RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/sluice)
install(FILES ${printed}/sluice.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${printed}/sluice-worker.8 ${printed}/sluice-api.8
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES ${printed}/completion.bash RENAME sluice
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${printed}/completion.zsh RENAME _sluice
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${printed}/completion.fish RENAME sluice.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# The contract of plugins, which are compiled against it and nothing else.
configure_file(deploy/sluice-handler.pc.in sluice-handler.pc @ONLY)
install(FILES include/sluice/handler.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice)
install(FILES ${CMAKE_BINARY_DIR}/sluice-handler.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)

# Plugins to try an installation with, where `sluice dev` finds them.
install(TARGETS example_checksum example_noop example_sleep LIBRARY DESTINATION lib/sluice)

# What names the prefix, which is known for certain only when it is installed: the units, and where
# the settings are.
install(CODE "set(source \"${CMAKE_SOURCE_DIR}\")\nset(bindir \"${CMAKE_INSTALL_BINDIR}\")
set(scratch \"${CMAKE_BINARY_DIR}/units\")")
install(SCRIPT cmake/InstallService.cmake)

# What an operator wants at hand.
install(DIRECTORY deploy/prometheus deploy/grafana clients examples
    DESTINATION ${CMAKE_INSTALL_DATADIR}/sluice
    PATTERN CMakeLists.txt EXCLUDE PATTERN __pycache__ EXCLUDE)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
