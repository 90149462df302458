/*
 * Certificates for one test, made on the spot by make_certs.sh, in a folder of their own.
 *
 * Names of files: ca.pem and other.pem are authorities; server, elsewhere and client have a .pem
 * and a .key under ca. Each step fails the test when it cannot be done.
 */
#ifndef SLUICE_TESTS_CERTS_H
#define SLUICE_TESTS_CERTS_H

struct certs {
    char dir[40];
};

struct cert_path {
    char text[64];
};

void certs_make(struct certs *c);
void certs_remove(struct certs *c);
struct cert_path certs_path(const struct certs *c, const char *name);

#endif
