#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

struct terminal terminal_of(int fd)
{
    struct terminal t = {0};
    struct winsize size;
    if (!isatty(fd))
        return t;
    t.columns = 80;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        t.columns = size.ws_col;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    t.colour = (!no_color || !*no_color) && term && strcmp(term, "dumb") != 0;
    return t;
}

const char *tone_begin(const struct terminal *t, enum tone tone)
{
    static const char *const sequences[] = {
        [TONE_PLAIN] = "",        [TONE_BOLD] = "\033[1m",  [TONE_DIM] = "\033[2m",
        [TONE_GOOD] = "\033[32m", [TONE_WARN] = "\033[33m", [TONE_BAD] = "\033[31m",
    };
    return t->colour ? sequences[tone] : "";
}

const char *tone_end(const struct terminal *t, enum tone tone)
{
    return t->colour && tone != TONE_PLAIN ? "\033[0m" : "";
}

const char *hue_begin(const struct terminal *t, unsigned n)
{
    /* Red is left to what is bad. */
    static const char *const sequences[] = {"\033[36m", "\033[33m", "\033[35m", "\033[34m",
                                            "\033[32m", "\033[96m", "\033[93m", "\033[95m",
                                            "\033[94m", "\033[92m"};
    return t->colour ? sequences[n % (sizeof sequences / sizeof *sequences)] : "";
}

const char *hue_end(const struct terminal *t)
{
    return t->colour ? "\033[0m" : "";
}

/* Bytes of the character at p; 0 when it is not UTF-8. */
static size_t character(const char *p)
{
    size_t left = strnlen(p, 4);
    for (size_t n = 1; n <= left; n++)
        if (utf8_ok((struct slice){p, n}))
            return n;
    return 0;
}

void terminal_clean(char *text)
{
    char *out = text;
    for (const char *p = text; *p;) {
        size_t n = character(p);
        unsigned char c = (unsigned char)p[0];
        bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)p[1] < 0xa0);
        if (n == 0 || control) {
            *out++ = '?';
            p += n ? n : 1;
            continue;
        }
        memmove(out, p, n);
        out += n;
        p += n;
    }
    *out = '\0';
}

size_t terminal_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80; /* continuation bytes take no place */
    return n;
}

size_t terminal_bytes(const char *text, size_t characters)
{
    const char *p = text;
    for (; *p && characters > 0; characters--)
        for (p++; ((unsigned char)*p & 0xc0) == 0x80; p++)
            ;
    return (size_t)(p - text);
}
