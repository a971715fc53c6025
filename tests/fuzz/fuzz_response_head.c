/* Heads of responses. */
#include "fuzz.h"
#include "heads.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	heads_check(HTTP_RESPONSE, (struct span){(const char *)bytes, len});
	return 0;
}
