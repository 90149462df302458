# c_bytes(RET FILE): the bytes of FILE as C writes them, "0x23,0x20,". A change of the file makes all
# that holds them anew.
function(c_bytes ret file)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    set(${ret} "${bytes}" PARENT_SCOPE)
endfunction()

# embed_file(OUT_C NAME FILE): FILE becomes `const char NAME[]` with a NUL behind it, and
# `const size_t NAME_bytes` without that. Whoever uses them declares them.
function(embed_file out_c name file)
    c_bytes(bytes ${file})
    file(SIZE ${file} length)
    cmake_path(GET file FILENAME title)
    file(CONFIGURE OUTPUT ${out_c} @ONLY CONTENT
        "/* Generated from ${title}. */\n#include <stddef.h>\nextern const char ${name}[];\nextern const size_t ${name}_bytes;\nconst char ${name}[] = {${bytes}0};\nconst size_t ${name}_bytes = ${length};\n")
endfunction()

# embed_files(OUT_C TABLE FILES…): all of them in one table, `const struct asset TABLE[]` of
# api/assets.h, which ends with an empty row. What a file is, its name says.
function(embed_files out_c table)
    set(type_html "text/html; charset=utf-8")
    set(type_css "text/css; charset=utf-8")
    set(type_js "text/javascript; charset=utf-8")
    set(type_svg "image/svg+xml")
    set(files "")
    set(rows "")
    foreach(file ${ARGN})
        cmake_path(GET file FILENAME name)
        cmake_path(GET file EXTENSION LAST_ONLY kind)
        string(SUBSTRING ${kind} 1 -1 kind)
        if(NOT DEFINED type_${kind})
            message(FATAL_ERROR "${file}: what content type is that? embed_files() has to be told")
        endif()
        file(SHA256 ${file} tag)
        string(SUBSTRING ${tag} 0 16 tag)
        c_bytes(bytes ${file})
        string(MAKE_C_IDENTIFIER ${name} symbol)
        string(APPEND files "static const unsigned char ${symbol}[] = {${bytes}0};\n")
        string(APPEND rows "    {\"${name}\", \"${type_${kind}}\", \"\\\"${tag}\\\"\", ${symbol}, sizeof ${symbol} - 1},\n")
    endforeach()
    file(CONFIGURE OUTPUT ${out_c} @ONLY CONTENT
        "/* Generated. */\n#include \"api/assets.h\"\n${files}const struct asset ${table}[] = {\n${rows}    {0},\n};\n")
endfunction()
