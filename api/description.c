/* GET /openapi.yaml: the description of all this, built in. */
#include "api/routes.h"

extern const char openapi_yaml[];
extern const size_t openapi_yaml_bytes;

void answer_description(struct call *c)
{
    c->res->content_type = "application/yaml";
    buf_append(&c->res->body, openapi_yaml, openapi_yaml_bytes);
}
