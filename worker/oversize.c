#include "worker/oversize.h"

void oversize_note(struct oversize *o, struct log_field place, int64_t bytes, int64_t max_payload)
{
    atomic_fetch_add(&o->jobs, 1);
    log_warn("a job larger than max_payload was moved to dead", place, log_int("bytes", bytes),
             log_int("max_payload", max_payload));
}

void oversize_note_unread(struct oversize *o, const struct reply *unread, const char *set,
                          int64_t max_payload)
{
    for (size_t i = 0; i < unread_count(unread); i++) {
        struct unread job = unread_at(unread, i);
        struct log_field place =
            job.queue.n > 0 ? log_slice("queue", job.queue) : log_str("set", set);
        oversize_note(o, place, job.bytes, max_payload);
    }
}
