/* Heads of requests. */
#include "fuzz.h"
#include "heads.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	heads_check(HTTP_REQUEST, (struct span){(const char *)bytes, len});
	return 0;
}
