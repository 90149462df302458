# sluice_room(NAME SOURCES … USES rooms… PRIVATE_LIBS libraries…)
#
# A room is one directory = one static library `sluice_NAME`, whose headers are included as
# "NAME/header.h". Each room exports only its own include directory (a link in the build tree
# that holds nothing but that room), so an include that docs/STYLE.md forbids does not compile.
function(sluice_room name)
    cmake_parse_arguments(ROOM "" "" "SOURCES;USES;PRIVATE_LIBS" ${ARGN})
    set(view ${CMAKE_BINARY_DIR}/rooms/${name})
    file(MAKE_DIRECTORY ${view})
    file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${name} SYMBOLIC)

    add_library(sluice_${name} STATIC ${ROOM_SOURCES})
    target_include_directories(sluice_${name} PUBLIC ${view})
    foreach(used ${ROOM_USES})
        target_link_libraries(sluice_${name} PUBLIC sluice_${used})
    endforeach()
    target_link_libraries(sluice_${name} PRIVATE ${ROOM_PRIVATE_LIBS})
endfunction()
