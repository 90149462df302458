/*
 * An exec handler: makes a thumbnail of a PNG image. args [INPUT, OUTPUT, SIZE].
 *
 * The picture is scaled down to fit SIZE × SIZE pixels (default 128), keeping its shape; a smaller
 * one stays as it is. The event that tells the result:
 *
 *   {"path":"/tmp/logo.png","width":128,"height":96}
 *
 * OUTPUT is written beside its final name and then renamed, so nobody ever sees half a picture and
 * a second run of the same job replaces it by the same.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <png.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DONE = 0, FAILED = 1, DEAD = 100 };
enum { DEFAULT_SIZE = 128, SIZE_MAX_PX = 4096, CHANNELS = 4 };
#define PIXELS_MAX (64u << 20) /* 256 MB of RGBA: what a small file may unpack to has a limit */

struct picture {
    uint32_t width;
    uint32_t height;
    uint8_t *rgba; /* rows from the top, 4 bytes a pixel */
};

static int complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", what, why);
    return FAILED;
}

static int read_picture(const char *path, struct picture *ret)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&image, path))
        return complain(path, image.message);
    image.format = PNG_FORMAT_RGBA;
    struct picture p = {.width = image.width, .height = image.height};
    if ((uint64_t)p.width * p.height > PIXELS_MAX) {
        png_image_free(&image);
        return complain(path, "more than 64 million pixels");
    }
    p.rgba = malloc(PNG_IMAGE_SIZE(image));
    if (!p.rgba) {
        png_image_free(&image);
        return complain(path, "no memory");
    }
    if (!png_image_finish_read(&image, NULL, p.rgba, 0, NULL)) {
        free(p.rgba);
        return complain(path, image.message);
    }
    *ret = p;
    return DONE;
}

static int write_picture(const char *path, const struct picture *p)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temporary)
        return complain(path, "the name is too long");
    png_image image = {
        .version = PNG_IMAGE_VERSION,
        .width = p->width,
        .height = p->height,
        .format = PNG_FORMAT_RGBA,
    };
    if (!png_image_write_to_file(&image, temporary, 0, p->rgba, 0, NULL))
        return complain(path, image.message);
    if (rename(temporary, path) < 0) {
        int code = errno;
        (void)unlink(temporary); /* best effort: the failure is told below */
        return complain(path, strerror(code));
    }
    return DONE;
}

/* The mean colour of the source pixels in [x0,x1) × [y0,y1). Colours weigh by their opacity, or
 * transparent pixels would bleed their invisible colour into the edges. */
static void average(const struct picture *p, uint32_t x0, uint32_t x1, uint32_t y0, uint32_t y1,
                    uint8_t *ret)
{
    uint64_t colour[3] = {0}, opacity = 0;
    for (uint32_t y = y0; y < y1; y++)
        for (uint32_t x = x0; x < x1; x++) {
            const uint8_t *px = p->rgba + ((size_t)y * p->width + x) * CHANNELS;
            opacity += px[3];
            for (int i = 0; i < 3; i++)
                colour[i] += (uint64_t)px[i] * px[3];
        }
    for (int i = 0; i < 3; i++)
        ret[i] = opacity ? (uint8_t)(colour[i] / opacity) : 0;
    ret[3] = (uint8_t)(opacity / ((uint64_t)(x1 - x0) * (y1 - y0)));
}

/* Where pixel i of `to` begins in a row of `from`; from >= to, so each covers one at least. */
static uint32_t scale(uint32_t i, uint32_t from, uint32_t to)
{
    return (uint32_t)((uint64_t)i * from / to);
}

static int shrink(const struct picture *from, uint32_t size, struct picture *ret)
{
    uint32_t longest = from->width > from->height ? from->width : from->height;
    uint32_t to = longest < size ? longest : size;
    struct picture p = {
        .width = scale(from->width, to, longest),
        .height = scale(from->height, to, longest),
    };
    p.width += p.width == 0; /* a hairline stays a line */
    p.height += p.height == 0;
    p.rgba = malloc((size_t)p.width * p.height * CHANNELS);
    if (!p.rgba)
        return complain("thumbnail", "no memory");
    uint8_t *px = p.rgba;
    for (uint32_t y = 0; y < p.height; y++)
        for (uint32_t x = 0; x < p.width; x++, px += CHANNELS)
            average(from, scale(x, from->width, p.width), scale(x + 1, from->width, p.width),
                    scale(y, from->height, p.height), scale(y + 1, from->height, p.height), px);
    *ret = p;
    return DONE;
}

static int emit(const char *path, const struct picture *p)
{
    cJSON *o = cJSON_CreateObject();
    bool complete = o && cJSON_AddStringToObject(o, "path", path) &&
                    cJSON_AddNumberToObject(o, "width", p->width) &&
                    cJSON_AddNumberToObject(o, "height", p->height);
    char *text = complete ? cJSON_PrintUnformatted(o) : NULL;
    bool written = text && printf("%s\n", text) >= 0 && fflush(stdout) == 0;
    cJSON_free(text);
    cJSON_Delete(o);
    return written ? DONE : complain(path, "cannot write the event");
}

static int thumbnail(const char *input, const char *output, uint32_t size)
{
    struct picture whole = {0}, small = {0};
    int rc = read_picture(input, &whole);
    if (rc == DONE)
        rc = shrink(&whole, size, &small);
    if (rc == DONE)
        rc = write_picture(output, &small);
    if (rc == DONE)
        rc = emit(output, &small);
    free(whole.rgba);
    free(small.rgba);
    return rc;
}

static int run(const cJSON *args)
{
    const char *input = cJSON_GetStringValue(cJSON_GetArrayItem(args, 0));
    const char *output = cJSON_GetStringValue(cJSON_GetArrayItem(args, 1));
    const cJSON *size = cJSON_GetArrayItem(args, 2);
    double px = size ? cJSON_GetNumberValue(size) : DEFAULT_SIZE; /* NaN when it is no number */
    if (input && output && cJSON_GetArraySize(args) <= 3 && px >= 1 && px <= SIZE_MAX_PX)
        return thumbnail(input, output, (uint32_t)px);
    (void)fputs("args must be [INPUT, OUTPUT] or [INPUT, OUTPUT, SIZE], SIZE from 1 to 4096\n",
                stderr);
    return DEAD;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n = getline(&line, &room, stdin);
    cJSON *job = n > 0 ? cJSON_ParseWithLength(line, (size_t)n) : NULL;
    int rc = run(cJSON_GetObjectItemCaseSensitive(job, "args"));
    cJSON_Delete(job);
    free(line);
    return rc;
}
