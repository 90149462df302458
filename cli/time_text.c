#include "cli/time_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double century_s = 100 * 365.25 * 86400;
static const double year_10000 = 253402300800.0;

/* ---- Durations ----------------------------------------------------------------------------- */

static const struct unit {
    char letter;
    int seconds;
} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
enum { UNITS = sizeof units / sizeof units[0] };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits with an optional fraction; no sign, exponent or infinity, which strtod() would take. */
static bool read_decimal(const char **at, double *ret)
{
    const char *p = *at;
    if (!is_digit(*p))
        return false;
    while (is_digit(*p))
        p++;
    if (*p == '.' && is_digit(p[1]))
        for (p++; is_digit(*p);)
            p++;
    char number[64];
    size_t n = (size_t)(p - *at);
    if (n >= sizeof number)
        return false;
    memcpy(number, *at, n);
    number[n] = '\0';
    *ret = strtod(number, NULL);
    *at = p;
    return true;
}

int duration_parse(const char *text, double *ret_s, struct err *err)
{
    static const char allowed[] = "seconds, or a duration like 10s, 5m, 1h30m or 2d";
    double sum = 0, number;
    const char *at = text;
    int next = 0; /* units come in falling order, each once */
    if (!read_decimal(&at, &sum))
        return err_set(err, -EINVAL, "\"%s\" is not a duration; allowed: %s", text, allowed);
    if (*at) {
        sum = 0;
        at = text;
    }
    while (*at) {
        bool found = false;
        if (!read_decimal(&at, &number))
            return err_set(err, -EINVAL, "\"%s\" is not a duration; allowed: %s", text, allowed);
        for (; !found && next < UNITS; next++)
            if (*at == units[next].letter) {
                found = true;
                sum += number * units[next].seconds;
            }
        if (!found)
            return err_set(err, -EINVAL, "\"%s\" is not a duration; allowed: %s", text, allowed);
        at++;
    }
    if (sum > century_s)
        return err_set(err, -EINVAL, "\"%s\" is too long; at most 100 years (36525d)", text);
    *ret_s = sum;
    return 0;
}

const char *duration_text(double s, char ret[DURATION_TEXT])
{
    int64_t whole = s < 9e15 ? (int64_t)(s + 0.5) : INT64_C(9000000000000000);
    const size_t n = DURATION_TEXT;
    if (s <= 0)
        (void)snprintf(ret, n, "0s");
    else if (s < 0.00095)
        (void)snprintf(ret, n, "%.1f ms", s * 1000);
    else if (s < 0.9995)
        (void)snprintf(ret, n, "%.0f ms", s * 1000);
    else if (s < 9.95)
        (void)snprintf(ret, n, "%.1fs", s);
    else if (whole < 60)
        (void)snprintf(ret, n, "%ds", (int)whole);
    else if (whole < 3600)
        (void)snprintf(ret, n, "%dm %ds", (int)(whole / 60), (int)(whole % 60));
    else if (whole < 86400)
        (void)snprintf(ret, n, "%dh %dm", (int)(whole / 3600), (int)(whole % 3600 / 60));
    else
        (void)snprintf(ret, n, "%lldd %dh", (long long)(whole / 86400),
                       (int)(whole % 86400 / 3600));
    return ret;
}

/* ---- Times --------------------------------------------------------------------------------- */

/* Exactly n digits, lo..hi. */
static bool read_field(const char **at, int n, int lo, int hi, int *ret)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (!is_digit((*at)[i]))
            return false;
        value = value * 10 + ((*at)[i] - '0');
    }
    *at += n;
    *ret = value;
    return value >= lo && value <= hi;
}

static bool skip(const char **at, const char *any)
{
    if (!**at || !strchr(any, **at))
        return false;
    ++*at;
    return true;
}

/* "Z" or "+hh:mm"; *ret_zone: whether there was anything at all. */
static bool read_zone(const char **at, bool *ret_there, int *ret_offset_s)
{
    int sign = **at == '-' ? -1 : 1, hours, minutes;
    *ret_there = **at != '\0';
    if (skip(at, "Zz")) {
        *ret_offset_s = 0;
        return true;
    }
    if (!skip(at, "+-") || !read_field(at, 2, 0, 23, &hours) || !skip(at, ":") ||
        !read_field(at, 2, 0, 59, &minutes))
        return false;
    *ret_offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static int parse_rfc3339(const char *text, double *ret, struct err *err)
{
    struct tm tm = {0};
    const char *at = text;
    int year, month, day, offset = 0;
    double fraction = 0;
    bool zone_there = true;
    bool ok = read_field(&at, 4, 1970, 9999, &year) && skip(&at, "-") &&
              read_field(&at, 2, 1, 12, &month) && skip(&at, "-") &&
              read_field(&at, 2, 1, days_in(year, month), &day) && skip(&at, "Tt ") &&
              read_field(&at, 2, 0, 23, &tm.tm_hour) && skip(&at, ":") &&
              read_field(&at, 2, 0, 59, &tm.tm_min) && skip(&at, ":") &&
              read_field(&at, 2, 0, 60, &tm.tm_sec); /* 60: a leap second */
    if (ok && *at == '.') {
        char *end;
        ok = is_digit(at[1]);
        fraction = strtod(at, &end);
        /* strtod() knows exponents, RFC 3339 does not. */
        ok = ok && strspn(at + 1, "0123456789") + 1 == (size_t)(end - at);
        at = end;
    }
    ok = ok && read_zone(&at, &zone_there, &offset) && !*at;
    if (!zone_there)
        return err_set(err, -EINVAL, "\"%s\" has no zone; add Z for UTC, or one like +02:00", text);
    if (!ok)
        return err_set(err, -EINVAL,
                       "\"%s\" is not a time; allowed: Unix seconds, or RFC 3339 like "
                       "2030-01-31T08:00:00Z or 2030-01-31T08:00:00+02:00",
                       text);
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    *ret = (double)timegm(&tm) - offset + fraction;
    return 0;
}

int time_parse(const char *text, double *ret_unix, struct err *err)
{
    const char *at = text;
    double seconds;
    if (!read_decimal(&at, &seconds) || *at)
        return parse_rfc3339(text, ret_unix, err);
    if (seconds >= year_10000)
        return err_set(err, -EINVAL,
                       "\"%s\" is too large for Unix seconds; are these milliseconds?", text);
    *ret_unix = seconds;
    return 0;
}
