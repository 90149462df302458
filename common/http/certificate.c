#include "http/certificate.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

enum { CHAIN_MAX = 16 };

struct certificate {
    gnutls_x509_crt_t chain[CHAIN_MAX];
    unsigned n;
    gnutls_x509_privkey_t key;
};

static struct mutex mutex = {PTHREAD_MUTEX_INITIALIZER}; /* guards: current */
static struct certificate current;

static void release(struct certificate *c)
{
    for (unsigned i = 0; i < c->n; i++)
        gnutls_x509_crt_deinit(c->chain[i]);
    if (c->key)
        gnutls_x509_privkey_deinit(c->key);
    *c = (struct certificate){.n = 0};
}

/* ---- files ---- */

static int refuse(struct err *err, const char *file, int code)
{
    if (code == GNUTLS_E_FILE_ERROR && errno != 0)
        return err_set(err, -errno, "%s: %s", file, strerror(errno));
    return err_set(err, code == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL, "%s: %s", file,
                   gnutls_strerror(code));
}

static int read_chain(struct certificate *c, const char *file, struct err *err)
{
    gnutls_datum_t pem;
    unsigned n = CHAIN_MAX;
    errno = 0;
    int code = gnutls_load_file(file, &pem);
    if (code != 0)
        return refuse(err, file, code);
    code = gnutls_x509_crt_list_import(c->chain, &n, &pem, GNUTLS_X509_FMT_PEM,
                                       GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED |
                                           GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    gnutls_free(pem.data);
    if (code <= 0)
        return refuse(err, file, code == 0 ? GNUTLS_E_NO_CERTIFICATE_FOUND : code);
    c->n = (unsigned)code;
    return 0;
}

static int read_key(struct certificate *c, const char *file, struct err *err)
{
    gnutls_datum_t pem;
    errno = 0;
    int code = gnutls_load_file(file, &pem);
    if (code != 0)
        return refuse(err, file, code);
    code = gnutls_x509_privkey_init(&c->key);
    if (code == 0)
        code = gnutls_x509_privkey_import2(c->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return code == 0 ? 0 : refuse(err, file, code);
}

/* Whether the two belong together. */
static int compare(const struct certificate *c, const char *chain_file, const char *key_file,
                   struct err *err)
{
    unsigned char of_cert[64], of_key[64];
    size_t n = sizeof of_cert, m = sizeof of_key;
    int code = gnutls_x509_crt_get_key_id(c->chain[0], GNUTLS_KEYID_USE_SHA256, of_cert, &n);
    if (code == 0)
        code = gnutls_x509_privkey_get_key_id(c->key, GNUTLS_KEYID_USE_SHA256, of_key, &m);
    if (code != 0)
        return refuse(err, key_file, code);
    if (n != m || memcmp(of_cert, of_key, n) != 0)
        return err_set(err, -EINVAL, "%s: this is not the key of the certificate in %s", key_file,
                       chain_file);
    return 0;
}

int http_certificate_load(const char *chain_file, const char *key_file, struct err *err)
{
    struct certificate c = {.n = 0};
    int rc = read_chain(&c, chain_file, err);
    if (rc == 0)
        rc = read_key(&c, key_file, err);
    if (rc == 0)
        rc = compare(&c, chain_file, key_file, err);
    if (rc == 0) {
        mutex_lock(&mutex);
        struct certificate old = current;
        current = c;
        c = old;
        mutex_unlock(&mutex);
    }
    release(&c);
    return rc;
}

void http_certificate_unload(void)
{
    mutex_lock(&mutex);
    release(&current);
    mutex_unlock(&mutex);
}

void http_certificate_pin(char ret[HTTP_PIN_BYTES])
{
    unsigned char id[32];
    size_t n = sizeof id;
    ret[0] = '\0';
    mutex_lock(&mutex);
    bool ok = current.n > 0 &&
              gnutls_x509_crt_get_key_id(current.chain[0], GNUTLS_KEYID_USE_SHA256, id, &n) == 0;
    mutex_unlock(&mutex);
    if (!ok)
        return;
    int at = snprintf(ret, HTTP_PIN_BYTES, "sha256//");
    (void)EVP_EncodeBlock((unsigned char *)ret + at, id, (int)n); /* 44 bytes and a NUL */
}

/* ---- handshakes ---- */

/* Copies, which the library frees: what is current may change before it has used them. */
static int copy_locked(gnutls_pcert_st **ret_chain, unsigned *ret_n, gnutls_privkey_t *ret_key)
{
    unsigned n = current.n;
    gnutls_privkey_t key = NULL;
    gnutls_pcert_st *chain = n > 0 ? gnutls_calloc(n, sizeof *chain) : NULL;
    if (!chain)
        return GNUTLS_E_MEMORY_ERROR;
    int code = gnutls_pcert_import_x509_list(chain, current.chain, &n, 0);
    if (code != 0) {
        gnutls_free(chain);
        return code;
    }
    code = gnutls_privkey_init(&key);
    if (code == 0)
        code = gnutls_privkey_import_x509(key, current.key, GNUTLS_PRIVKEY_IMPORT_COPY);
    if (code != 0) {
        for (unsigned i = 0; i < n; i++)
            gnutls_pcert_deinit(&chain[i]);
        gnutls_free(chain);
        if (key)
            gnutls_privkey_deinit(key);
        return code;
    }
    *ret_chain = chain;
    *ret_n = n;
    *ret_key = key;
    return 0;
}

static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                    gnutls_pcert_st **ret_chain, unsigned *ret_n, gnutls_ocsp_data_st **ret_ocsp,
                    unsigned *ret_nocsp, gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
    (void)session, (void)info; /* there is one, whoever asks */
    *ret_ocsp = NULL;
    *ret_nocsp = 0;
    *ret_flags = GNUTLS_CERT_RETR_DEINIT_ALL;
    mutex_lock(&mutex);
    int code = copy_locked(ret_chain, ret_n, ret_key);
    mutex_unlock(&mutex);
    return code;
}

void *http_certificate_callback(void)
{
    gnutls_certificate_retrieve_function3 *f = retrieve;
    void *ret;
    memcpy(&ret, &f, sizeof ret); /* C has no cast from a function to a void pointer */
    return ret;
}
