/* Reads Basic credentials. */
#include "proxy/basic.h"

#include <stddef.h>
#include <string.h>

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	if (c == '+') {
		return 62;
	}
	return c == '/' ? 63 : -1;
}

/* Takes the padding off; false when there is some and it is not what the length asks for. */
static bool drop_padding(struct span *text)
{
	size_t padded = text->len;

	while (text->len > 0 && padded - text->len < 2 && text->data[text->len - 1] == '=') {
		text->len--;
	}
	return (text->len == padded || padded % 4 == 0) && text->len % 4 != 1;
}

/* RFC 4648 section 4; bits left over must be zero. False also when it does not fit. */
static bool decode(struct span text, char out[BASIC_BYTES], size_t *ret_len)
{
	unsigned bits = 0;
	unsigned bit_count = 0;
	size_t len = 0;

	if (!drop_padding(&text) || text.len / 4 * 3 > BASIC_BYTES - 3) {
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		int digit = base64_digit(text.data[i]);

		if (digit < 0) {
			return false;
		}
		bits = (bits << 6 | (unsigned)digit) & 0xffff;
		bit_count += 6;
		if (bit_count >= 8) {
			bit_count -= 8;
			out[len++] = (char)(bits >> bit_count & 0xff);
		}
	}
	*ret_len = len;
	return (bits & ((1u << bit_count) - 1)) == 0;
}

bool basic_read(struct span authorization, struct basic *ret_basic)
{
	static const struct span scheme = {"basic ", 6};
	struct span text = authorization;
	const char *colon;
	size_t len;

	if (text.len < scheme.len ||
	    !span_is_nocase((struct span){text.data, scheme.len}, scheme)) {
		return false;
	}
	text.data += scheme.len;
	text.len -= scheme.len;
	while (text.len > 0 && text.data[0] == ' ') {
		text.data++;
		text.len--;
	}
	if (!decode(text, ret_basic->bytes, &len)) {
		return false;
	}
	colon = memchr(ret_basic->bytes, ':', len);
	if (colon == NULL) {
		return false;
	}
	ret_basic->name = (struct span){ret_basic->bytes, (size_t)(colon - ret_basic->bytes)};
	ret_basic->secret = (struct span){colon + 1, len - ret_basic->name.len - 1};
	return true;
}

void basic_wipe(struct basic *basic)
{
	explicit_bzero(basic, sizeof(*basic));
}
