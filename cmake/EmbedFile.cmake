# embed_file(OUT_C NAME FILE): FILE becomes `const char NAME[]` with a NUL behind it, and
# `const size_t NAME_bytes` without that. Whoever uses them declares them.
function(embed_file out_c name file)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} bytes HEX)
    string(LENGTH "${bytes}" length)
    math(EXPR length "${length} / 2")
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    cmake_path(GET file FILENAME title)
    file(CONFIGURE OUTPUT ${out_c} @ONLY CONTENT
        "/* Generated from ${title}. */\n#include <stddef.h>\nextern const char ${name}[];\nextern const size_t ${name}_bytes;\nconst char ${name}[] = {${bytes}0};\nconst size_t ${name}_bytes = ${length};\n")
endfunction()
