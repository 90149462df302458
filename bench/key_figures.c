#include "key_figures.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"

static struct buf line;

void key_figure(double value, const char *name, ...)
{
    char text[64];
    va_list ap;
    va_start(ap, name);
    (void)vsnprintf(text, sizeof text, name, ap);
    va_end(ap);
    buf_printf(&line, " %s=%.9g", text, value);
}

void key_figures_print(void)
{
    (void)printf("figures:%s\n", buf_str(&line));
    buf_release(&line);
}
