/* config/url.c: the upstream's URL. */
#include "config/url.h"
#include "suite.h"

#include <string.h>

START_TEST(test_urls_that_are_read)
{
	static const struct {
		const char *text;
		const char *host;
		const char *authority;
		uint16_t port;
		bool is_tls;
	} cases[] = {
		{"https://ocr.captchaai.com", "ocr.captchaai.com", "ocr.captchaai.com", 443, true},
		{"https://ocr.captchaai.com/", "ocr.captchaai.com", "ocr.captchaai.com", 443, true},
		{"HTTPS://Api.Example", "api.example", "api.example", 443, true},
		{"https://api.example:443", "api.example", "api.example", 443, true},
		{"https://api.example:8443/", "api.example", "api.example:8443", 8443, true},
		{"https://api.example:80", "api.example", "api.example:80", 80, true},
		{"http://api.example", "api.example", "api.example", 80, false},
		{"http://api.example:443", "api.example", "api.example:443", 443, false},
		{"http://127.0.0.1:9000", "127.0.0.1", "127.0.0.1:9000", 9000, false},
		{"https://[::1]", "::1", "[::1]", 443, true},
		{"https://[2001:DB8::1]:8443", "2001:db8::1", "[2001:db8::1]:8443", 8443, true},
		{"https://localhost:1", "localhost", "localhost:1", 1, true},
		{"https://xn--bcher-kva.example", "xn--bcher-kva.example", "xn--bcher-kva.example",
		 443, true},
		{"https://a_b.example:65535", "a_b.example", "a_b.example:65535", 65535, true},
		{"https://1.example", "1.example", "1.example", 443, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct upstream_url url;
		const char *fault = NULL;

		ck_assert_msg(url_parse(cases[i].text, &url, &fault), "%s %s", cases[i].text,
			      fault);
		ck_assert_str_eq(url.host, cases[i].host);
		ck_assert_str_eq(url.authority, cases[i].authority);
		ck_assert_uint_eq(url.port, cases[i].port);
		ck_assert_int_eq(url.is_tls, cases[i].is_tls);
		url_fini(&url);
		ck_assert_ptr_null(url.host);
		url_fini(&url);
	}
}
END_TEST

START_TEST(test_faults_are_named)
{
	static const struct {
		const char *text;
		const char *fault;
	} cases[] = {
		{"", "must begin with https://"},
		{"ocr.captchaai.com", "must begin with https://"},
		{"ftp://x", "must begin with https://"},
		{"https:/x", "must begin with https://"},
		{"https:", "must begin with https://"},
		{" https://x", "must begin with https://"},
		{"https://", "has no host name"},
		{"https:///", "has no host name"},
		{"https://:443", "has no host name"},
		{"https://x//", "must not hold a path"},
		{"https://x/in.php", "must not hold a path"},
		{"https://x?a=b", "must not hold a query"},
		{"https://x/#a", "must not hold a query"},
		{"https://user@x", "must not hold a user name"},
		{"https://user:password@x:443/", "must not hold a user name"},
		{"https://x:", "has a port"},
		{"https://x:0", "has a port"},
		{"https://x:65536", "has a port"},
		{"https://x:+1", "has a port"},
		{"https://x:1a", "has a port"},
		{"https://[::1]:", "has a port"},
		{"https://::1", "needs brackets"},
		{"https://a:b:1", "needs brackets"},
		{"https://[::1]x", "needs brackets"},
		{"https://[::1", "needs brackets"},
		{"https://[]", "has no host name"},
		{"https://[127.0.0.1]", "holds brackets"},
		{"https://[::1%lo]", "holds brackets"},
		{"https://x.", "must not end its host name with a dot"},
		{"https://a..b", "holds a host name"},
		{"https://.a", "holds a host name"},
		{"https://a b", "holds a host name"},
		{"https://b\xc3\xbc.example", "holds a host name"},
		{"https://*.example", "holds a host name"},
		{"https://256.1.1.1", "holds an IPv4 address that is none"},
		{"https://127.1", "holds an IPv4 address that is none"},
		{"https://1", "holds an IPv4 address that is none"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct upstream_url url = {.port = 7};
		const char *fault = NULL;

		ck_assert_msg(!url_parse(cases[i].text, &url, &fault), "%s", cases[i].text);
		ck_assert_msg(strncmp(fault, cases[i].fault, strlen(cases[i].fault)) == 0, "%s: %s",
			      cases[i].text, fault);
		ck_assert_uint_eq(url.port, 7);
	}
}
END_TEST

START_TEST(test_host_names_are_bounded)
{
	char name[300];

	memset(name, 'a', sizeof(name));
	ck_assert(url_is_host_name(name, 63));
	ck_assert(!url_is_host_name(name, 64));
	name[63] = '.';
	name[127] = '.';
	name[191] = '.';
	ck_assert(url_is_host_name(name, 253));
	ck_assert(!url_is_host_name(name, 254));
	ck_assert(!url_is_host_name(name, 64));
	ck_assert(!url_is_host_name("", 0));
}
END_TEST

SUITE_MAIN("config/url", test_urls_that_are_read, test_faults_are_named,
	   test_host_names_are_bounded)
