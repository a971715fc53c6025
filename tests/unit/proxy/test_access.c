/* proxy/access.c: peers, Host names, labels. */
#include "base/macros.h"
#include "proxy/access.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *networks[] = {(char[]){"127.0.0.0/8"}, (char[]){"::1/128"}, (char[]){"192.0.2.0/24"}};
static char *hosts[] = {(char[]){"pool.example.org"}, (char[]){"Dotted.example.org."}};

static struct access *access_for_test(void)
{
	struct config config = {
		.access_allow = {networks, ARRAY_SIZE(networks)},
		.access_hosts = {hosts, ARRAY_SIZE(hosts)},
	};

	return access_new(&config.access_allow, &config.access_hosts, SPAN("ocr.captchaai.com"));
}

START_TEST(test_peers)
{
	static const struct {
		const char *peer;
		bool allowed;
	} rows[] = {
		{"127.0.0.1:1", true},          {"127.255.0.1:1", true}, {"[::1]:1", true},
		{"[::ffff:127.0.0.1]:1", true}, {"192.0.2.255:1", true}, {"unix:/run/x", true},
		{"192.0.3.1:1", false},         {"[::2]:1", false},      {"[2001:db8::1]:1", false},
	};
	struct access *access = access_for_test();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr peer;

		ck_assert(addr_parse(rows[i].peer, &peer));
		ck_assert_msg(access_allows_peer(access, &peer) == rows[i].allowed, "%s",
			      rows[i].peer);
	}
	access_free(access);
}
END_TEST

START_TEST(test_hosts)
{
	static const char *const ours[] = {
		"localhost",
		"LOCALHOST:8080",
		"127.0.0.1",
		"127.0.0.1:8080",
		"[::1]",
		"[::1]:8080",
		"192.0.2.7",
		"8.8.8.8:80",
		"[2001:db8::1]:8080",
		"ocr.captchaai.com",
		"OCR.captchaai.com.:80",
		"pool.example.org",
		"POOL.Example.org:8080",
		"dotted.example.org",
		"dotted.example.org.",
		"warmpool",
		"warmpool:8080",
		"a.localhost",
		"nas.local",
		"nas.LAN.",
		"db.internal:1",
		"x.home.arpa",
	};
	static const char *const others[] = {
		"",
		".",
		":80",
		"example.com",
		"evil.example.org",
		"xpool.example.org",
		"a.pool.example.org",
		"captchaai.com",
		"ocr.captchaai.com.example.com",
		"localhost.example.com",
		"local.example",
		"notlocal.example",
		"xlan.org",
		"a b",
		"[::1",
		"::1",
		"[::1]x",
		"a:b",
		"a:99999999",
		"example.com..",
		".local.example.com",
		"127.0.0.1.example.com",
		"home.arpa.com",
		"lan.arpa",
	};
	struct access *access = access_for_test();

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		ck_assert_msg(access_allows_host(access, span_of(ours[i])), "%s", ours[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		ck_assert_msg(!access_allows_host(access, span_of(others[i])), "%s", others[i]);
	}
	access_free(access);
}
END_TEST

START_TEST(test_origins)
{
	static const char *const ours[] = {
		"http://localhost",
		"http://localhost:3000",
		"https://tool.lan",
		"http://127.0.0.1:3000",
		"http://[::1]:3000",
		"http://192.0.2.9", /* in access.allow */
		"https://pool.example.org:8443",
		"https://ocr.captchaai.com",
	};
	static const char *const others[] = {
		"",
		"null",
		"http://",
		"https://example.com",
		"https://localhost.example.com",
		"https://example.com:80",
		"http://8.8.8.8",
		"http://[2001:db8::1]",
		"http://0.0.0.0",
		"file://",
		"localhost",
		"chrome-extension://abcdefghijklmnop",
		"http://localhost/",
		"http://user@localhost",
		"http://localhost http://example.com",
	};
	struct access *access = access_for_test();

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		ck_assert_msg(access_allows_origin(access, span_of(ours[i])), "%s", ours[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		ck_assert_msg(!access_allows_origin(access, span_of(others[i])), "%s", others[i]);
	}
	access_free(access);
}
END_TEST

START_TEST(test_this_machines_names)
{
	struct access *access = access_for_test();
	char name[300] = "";

	ck_assert_int_eq(gethostname(name, 256), 0);
	ck_assert(access_allows_host(access, span_of(name)));
	ck_assert(access_allows_host(access, (struct span){name, strcspn(name, ".")}));
	access_free(access);
}
END_TEST

START_TEST(test_nothing_configured_allows_only_unix_peers)
{
	struct config config = {0};
	struct access *access = access_new(&config.access_allow, &config.access_hosts, SPAN("api.example"));
	struct addr peer;

	ck_assert(addr_parse("127.0.0.1:1", &peer));
	ck_assert(!access_allows_peer(access, &peer));
	ck_assert(addr_parse("unix:/run/x", &peer));
	ck_assert(access_allows_peer(access, &peer));
	ck_assert(access_allows_host(access, SPAN("api.example")));
	access_free(access);
	access_free(NULL);
}
END_TEST

START_TEST(test_labels)
{
	static const struct {
		const char *authorization;
		const char *label; /* NULL: none */
	} rows[] = {
		{"Basic Y3Jhd2xlcjo=", "crawler"}, /* crawler: */
		{"basic Y3Jhd2xlcjo=", "crawler"},
		{"BASIC   Y3Jhd2xlcjo", "crawler"}, /* padding is optional */
		{"Basic YTo=", "a"},                /* a: */
		{"Basic YTo", "a"},
		{"Basic YWI6", "ab"},             /* ab: */
		{"Basic YS0uX1o5Og==", "a-._Z9"}, /* a-._Z9: */
		{"Basic YS0uX1o5Og", "a-._Z9"},
		{"Basic YSBiL8OpOg==", "a_b___"}, /* a b/é: */
		{"Basic AAE6", "__"},
		{"Basic YTpi", NULL},     /* a:b */
		{"Basic YTpiOg==", NULL}, /* a:b: has the password "b:" */
		{"Basic YTo6", NULL},     /* a:: */
		{"Basic Og==", NULL},     /* : */
		{"Basic YQ==", NULL},     /* a, without a colon */
		{"Basic ", NULL},
		{"Basic", NULL},
		{"", NULL},
		{"BasicY3Jhd2xlcjo=", NULL},
		{"Bearer Y3Jhd2xlcjo=", NULL},
		{"Basic\tY3Jhd2xlcjo=", NULL},
		{"Basic Y3Jhd2xlcjo==", NULL},
		{"Basic YTo==", NULL},
		{"Basic YWI6=", NULL},
		{"Basic Og=", NULL},
		{"Basic Y3Jh d2xlcjo=", NULL},
		{"Basic Y3Jhd2xlcjo= ", NULL},
		{"Basic Y3Jhd2xlcjo=x", NULL},
		{"Basic YTp", NULL}, /* bits left over that are not zero */
		{"Basic YTo6Y", NULL},
		{"Basic Y3Jhd2xlcj_-", NULL},
		{"Basic =", NULL},
		{"Basic ====", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char label[ACCESS_LABEL_BYTES] = "untouched";
		bool is_label = access_read_label(span_of(rows[i].authorization), label);

		ck_assert_msg(is_label == (rows[i].label != NULL), "%s", rows[i].authorization);
		ck_assert_str_eq(label, is_label ? rows[i].label : "untouched");
	}
}
END_TEST

START_TEST(test_long_labels_are_cut)
{
	/* 22 times "aaa", then "a:" */
	static const char eleven[] = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh";
	char authorization[128];
	char label[ACCESS_LABEL_BYTES];

	snprintf(authorization, sizeof(authorization), "Basic %s%sYTo=", eleven, eleven);
	ck_assert(access_read_label(span_of(authorization), label));
	ck_assert_uint_eq(strlen(label), ACCESS_LABEL_BYTES - 1);
}
END_TEST

SUITE_MAIN("proxy/access", test_peers, test_hosts, test_origins, test_this_machines_names,
	   test_nothing_configured_allows_only_unix_peers, test_labels, test_long_labels_are_cut)
