/* The table of byte classes, and the naming of bytes that are out of place. */
#include "http/scan.h"

/* clang-format off */
const uint8_t scan_classes[256] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x00 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x10 */
	0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 3, 3, 0, /* 0x20 */
	7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, /* 0x30 */
	0, 7, 7, 7, 7, 7, 7, 3, 3, 3, 3, 3, 3, 3, 3, 3, /* 0x40 */
	3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 1, 3, /* 0x50 */
	1, 7, 7, 7, 7, 7, 7, 3, 3, 3, 3, 3, 3, 3, 3, 3, /* 0x60 */
	3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 1, 0, 3, 0, /* 0x70; none from 0x80 on */
};
/* clang-format on */

enum err scan_fault(const char *at, const char *end, enum err otherwise)
{
	unsigned char byte = (unsigned char)*at;

	if (byte == '\n') {
		return ERR_BARE_LF;
	}
	if (byte == '\r' && end - at < 2) {
		return ERR_NONE;
	}
	if (byte == '\r') {
		return at[1] == '\n' ? otherwise : ERR_BARE_CR;
	}
	if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
		return ERR_CONTROL_BYTE;
	}
	return otherwise;
}

bool scan_list_item(struct span *rest, struct span *ret_item)
{
	const char *at = rest->data;
	const char *end = rest->data + rest->len;
	const char *comma;
	const char *last;

	while (at < end && (*at == ',' || scan_is_blank(*at))) {
		at++;
	}
	if (at == end) {
		return false;
	}
	comma = memchr(at, ',', (size_t)(end - at));
	if (comma == NULL) {
		comma = end;
	}
	for (last = comma; scan_is_blank(last[-1]); last--) {
	}
	*ret_item = (struct span){at, (size_t)(last - at)};
	*rest = (struct span){comma, (size_t)(end - comma)};
	return true;
}
