# embed_lua(OUT_C OUT_H scripts…): each NAME.lua becomes `const struct script script_NAME`, with
# its source and its SHA-1, so that the first call of a script needs no round trip to learn it.
#
# A line `-- include: FILE` is replaced by that file (a path from the script's folder): Redis knows
# no modules, and a rule that many scripts keep is still written down once.
function(embed_lua out_c out_h)
    set(c "/* Generated from store/lua/. */\n#include \"scripts.h\"\n")
    set(h "/* Generated from store/lua/. */\n#ifndef SLUICE_STORE_SCRIPTS_H\n#define SLUICE_STORE_SCRIPTS_H\n#include \"redis/script.h\"\n")
    foreach(file ${ARGN})
        get_filename_component(name ${file} NAME_WE)
        get_filename_component(folder ${file} DIRECTORY)
        file(READ ${file} source)
        set(parts ${file})
        while("${source}" MATCHES "-- include: ([a-z/]+\\.lua)\n")
            set(line "${CMAKE_MATCH_0}")
            list(APPEND parts ${folder}/${CMAKE_MATCH_1})
            file(READ ${folder}/${CMAKE_MATCH_1} part)
            string(REPLACE "${line}" "${part}" source "${source}")
        endwhile()
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${parts})
        string(SHA1 sha1 "${source}")
        string(HEX "${source}" bytes)
        string(LENGTH "${bytes}" length)
        math(EXPR length "${length} / 2")
        string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
        string(APPEND c "static const char source_${name}[] = {${bytes}0};\n"
                        "const struct script script_${name} = {\"${name}\", source_${name}, ${length}, \"${sha1}\"};\n")
        string(APPEND h "extern const struct script script_${name};\n")
    endforeach()
    string(APPEND h "#endif\n")
    file(CONFIGURE OUTPUT ${out_c} CONTENT "${c}" @ONLY)
    file(CONFIGURE OUTPUT ${out_h} CONTENT "${h}" @ONLY)
endfunction()
