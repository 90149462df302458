#include "cli/human.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *human_count(int64_t n, char ret[HUMAN_TEXT])
{
    char digits[HUMAN_TEXT];
    int count = snprintf(digits, sizeof digits, "%" PRId64, n);
    char *out = ret;
    for (int i = 0; i < count; i++) {
        int left = count - i;
        if (i > 0 && digits[i - 1] != '-' && left % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return ret;
}

const char *human_kb(int64_t kb, char ret[HUMAN_TEXT])
{
    if (kb < 1024)
        (void)snprintf(ret, HUMAN_TEXT, "%" PRId64 " KB", kb);
    else if (kb < 10 * 1024 * 1024)
        (void)snprintf(ret, HUMAN_TEXT, "%" PRId64 " MB", kb / 1024);
    else
        (void)snprintf(ret, HUMAN_TEXT, "%" PRId64 " GB", kb / 1024 / 1024);
    return ret;
}
