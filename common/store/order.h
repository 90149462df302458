/*
 * Orders: what operators tell workers, as JSON on the control channels (store/control.h):
 * {"cmd":"quiet"}, resume, stop, {"cmd":"set","threads":20,"max_concurrent_ops":50,
 * "log_level":"debug"}, {"cmd":"cancel","jid":…}, {"cmd":"pause","queue":…}, unpause, ping.
 *
 * A value of "set" may be "default": what the settings of each worker say.
 *
 * Pub/sub loses messages, so an order that is to last is written down first, with a number, and
 * told second (store/wanted.h); its message bears the number, "n". One that bears none, as anybody
 * may send with PUBLISH, is for those who hear it. A cancelled job and a paused queue are facts in
 * keys of their own; "kept":true says that the sender has seen to that.
 *
 * Whoever wants to be told what became of an order adds "reply" (store/answer.h) and an "id".
 *
 * Threads: pure functions. Ownership: embedded; order_release() ends it.
 */
#ifndef SLUICE_STORE_ORDER_H
#define SLUICE_STORE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum order_cmd {
    ORDER_QUIET,
    ORDER_RESUME,
    ORDER_STOP,
    ORDER_SET,
    ORDER_CANCEL,
    ORDER_PAUSE,
    ORDER_UNPAUSE,
    ORDER_PING,
    ORDER_CMDS
};
const char *order_cmd_name(enum order_cmd cmd);

/* What ORDER_SET sets. */
enum order_setting { ORDER_THREADS, ORDER_MAX_OPS, ORDER_LOG_LEVEL, ORDER_SETTINGS };
const char *order_setting_name(enum order_setting setting);
/* -ENOENT when there is none of this name. */
int order_setting_find(struct slice name, enum order_setting *ret) warn_unused_result;

/* Beside the values themselves, which are never negative. */
enum { ORDER_UNSAID = -1, ORDER_DEFAULT = -2 };
/* Within the range of the setting it stands for, else -EINVAL in the words of conf. */
int order_value_parse(enum order_setting setting, const char *text, int *ret,
                      struct err *err) warn_unused_result;
void order_value_put(enum order_setting setting, int value, struct buf *out);

enum { ORDER_REPLY_MAX = 64, ORDER_ID_MAX = 64, ORDER_TEXT_MAX = 65536 };

struct order {
    enum order_cmd cmd;
    char *subject;             /* the jid or the queue */
    int value[ORDER_SETTINGS]; /* ORDER_SET: ORDER_UNSAID where it says nothing */
    uint64_t number;           /* of an order that was written down; else 0 */
    bool kept;
    char reply[ORDER_REPLY_MAX + 1]; /* "": nobody wants to know */
    char id[ORDER_ID_MAX + 1];       /* raw JSON, a string or a number; "" without one */
};

/* Reads a message. -EBADMSG with what is wrong with it and what is allowed; reply and id are set
 * then as far as they could be read, so that its sender can be told, and nothing is to be released.
 * -ENOMEM likewise. */
int order_parse(struct slice text, struct order *ret, struct err *err) warn_unused_result;
void order_release(struct order *o);

/* The message, without its closing brace: who numbers it adds the number and closes it. */
void order_put_open(const struct order *o, struct buf *out);

#endif
