#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/human.h"
#include "cli/terminal.h"
#include "cli/time_text.h"

enum { REDRAW_MS = 100, BAR = 24, LINE = 256 };

struct progress progress_of_stderr(void)
{
    struct terminal t = terminal_of(STDERR_FILENO);
    return (struct progress){.draws = t.columns > 0, .columns = t.columns};
}

void progress_draw(struct progress *p, const char *fmt, ...)
{
    char line[LINE];
    int64_t now = clock_now_ns();
    if (!p->draws || (p->drawn_ns && now - p->drawn_ns < REDRAW_MS * NS_PER_MS))
        return;
    p->drawn_ns = now;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap); /* cut to fit */
    va_end(ap);
    terminal_clean(line);
    fprintf(stderr, "\r\033[K%.*s", p->columns - 1, line);
}

void progress_draw_bar(struct progress *p, const char *what, uint64_t done, uint64_t total,
                       int64_t began_ns)
{
    char bar[BAR + 1], some[HUMAN_TEXT], all[HUMAN_TEXT], left[DURATION_TEXT + 8] = "";
    double took_s = (double)(clock_now_ns() - began_ns) / (double)NS_PER_S;
    double part = total > 0 ? (double)done / (double)total : 0;
    size_t full = (size_t)(part * BAR);
    memset(bar, '-', BAR);
    memset(bar, '#', full < BAR ? full : BAR);
    bar[BAR] = '\0';
    if (done > 0 && done < total && took_s >= 1) {
        char eta[DURATION_TEXT];
        (void)snprintf(left, sizeof left, ", %s left",
                       duration_text(took_s * (1 - part) / part, eta));
    }
    progress_draw(p, "%s [%s] %s of %s%s", what, bar, human_count((int64_t)done, some),
                  human_count((int64_t)total, all), left);
}

void progress_erase(struct progress *p)
{
    if (p->draws && p->drawn_ns)
        fputs("\r\033[K", stderr);
    p->drawn_ns = 0;
}
