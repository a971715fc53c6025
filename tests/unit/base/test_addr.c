/* base/addr.c: addresses and networks. */
#include "base/addr.h"
#include "suite.h"

#include <arpa/inet.h>

static struct addr ip(const char *text)
{
	struct addr addr = {0};

	ck_assert_msg(addr_parse_ip(span_of(text), 0, &addr), "%s", text);
	return addr;
}

START_TEST(test_what_is_written_is_what_was_read)
{
	static const char *const texts[] = {
		"127.0.0.1:8080", "0.0.0.0:0",     "[::1]:8080",    "[2001:db8::1]:65535",
		"[::]:1",         "unix:/run/a.s", "unix:/a b:c:1",
	};
	char out[ADDR_TEXT_BYTES];
	struct addr addr;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		ck_assert_msg(addr_parse(texts[i], &addr), "%s", texts[i]);
		ck_assert_str_eq(addr_write(&addr, out), texts[i]);
	}
}
END_TEST

START_TEST(test_what_is_no_address_is_refused_and_leaves_the_output_alone)
{
	static const char *const texts[] = {
		"",
		":",
		":8080",
		"8080",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:65536",
		"127.0.0.1:+1",
		"127.0.0.1: 1",
		"127.0.0.1:000001",
		"127.1:80",
		"127.0.0.01:80",
		"0x7f.0.0.1:80",
		"localhost:80",
		"::1:80",
		"[::1]",
		"[::1]80",
		"[::1:80",
		"[127.0.0.1]:80",
		"[]:80",
		"[fe80::1%1]:80",
		"[fe80::1%lo]:80",
		"*:80",
		" 127.0.0.1:80",
		"127.0.0.1:80 ",
		"127.0.0.1.:80",
		"unix:",
		"unix:a",
		"unix:./a",
		"unix",
		"UNIX:/a",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
	};
	struct addr addr = {.len = 7};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		ck_assert_msg(!addr_parse(texts[i], &addr), "%s", texts[i]);
		ck_assert_uint_eq(addr.len, 7);
	}
}
END_TEST

START_TEST(test_unix_paths_hold_107_bytes)
{
	char text[5 + 108 + 1] = "unix:/";
	char out[ADDR_TEXT_BYTES];
	struct addr addr;

	memset(text + 6, 'x', 106);
	ck_assert(addr_parse(text, &addr));
	ck_assert_str_eq(addr_write(&addr, out), text);
	ck_assert(addr_is_local(&addr));
	text[5 + 107] = 'x';
	ck_assert(!addr_parse(text, &addr));
}
END_TEST

START_TEST(test_peers_without_a_path_can_be_written)
{
	struct addr addr = {.len = offsetof(struct sockaddr_un, sun_path)};
	char out[ADDR_TEXT_BYTES];

	addr.sa.local.sun_family = AF_UNIX;
	ck_assert_str_eq(addr_write(&addr, out), "unix:");
	memcpy(addr.sa.local.sun_path, "\0name", 5);
	addr.len += 5;
	ck_assert_str_eq(addr_write(&addr, out), "unix:@name");
	memset(addr.sa.local.sun_path, 'x', sizeof(addr.sa.local.sun_path));
	addr.len = sizeof(addr.sa.local);
	ck_assert_uint_eq(strlen(addr_write(&addr, out)), 5 + sizeof(addr.sa.local.sun_path));
}
END_TEST

START_TEST(test_ip_alone)
{
	char out[ADDR_TEXT_BYTES];
	struct addr addr;

	ck_assert(addr_parse_ip(SPAN("192.0.2.1"), 443, &addr));
	ck_assert_str_eq(addr_write(&addr, out), "192.0.2.1:443");
	ck_assert_str_eq(addr_write_ip(&addr, out), "192.0.2.1");
	ck_assert_uint_eq(addr_port(&addr), 443);
	addr_set_port(&addr, 80);
	ck_assert_uint_eq(addr_port(&addr), 80);
	ck_assert(addr_parse_ip(SPAN("2001:DB8::1"), 443, &addr));
	ck_assert_str_eq(addr_write_ip(&addr, out), "2001:db8::1");
	addr_set_port(&addr, 80);
	ck_assert_str_eq(addr_write(&addr, out), "[2001:db8::1]:80");
	ck_assert(!addr_parse_ip(SPAN("[::1]"), 0, &addr));
	ck_assert(!addr_parse_ip(SPAN("::1%lo"), 0, &addr));
	ck_assert(!addr_parse_ip(SPAN("127.0.0.1\0"), 0, &addr));
	ck_assert(!addr_parse_ip(SPAN(""), 0, &addr));
}
END_TEST

START_TEST(test_loopback)
{
	static const char *const loopback[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
	static const char *const others[] = {"0.0.0.0", "128.0.0.1", "::", "::ffff:10.0.0.1",
					     "::2"};
	struct addr addr;

	for (size_t i = 0; i < ARRAY_SIZE(loopback); i++) {
		addr = ip(loopback[i]);
		ck_assert_msg(addr_is_loopback(&addr), "%s", loopback[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		addr = ip(others[i]);
		ck_assert_msg(!addr_is_loopback(&addr), "%s", others[i]);
	}
	ck_assert(addr_parse("unix:/a", &addr));
	ck_assert(!addr_is_loopback(&addr));
}
END_TEST

START_TEST(test_equality_sees_family_bytes_and_port)
{
	static const char *const texts[] = {
		"127.0.0.1:80", "127.0.0.1:81", "127.0.0.2:80", "[::1]:80",
		"[::2]:80",     "unix:/a",      "unix:/b",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(texts); j++) {
			struct addr a;
			struct addr b;

			ck_assert(addr_parse(texts[i], &a) && addr_parse(texts[j], &b));
			ck_assert_msg(addr_is_equal(&a, &b) == (i == j), "%s %s", texts[i],
				      texts[j]);
		}
	}
}
END_TEST

START_TEST(test_networks)
{
	static const struct {
		const char *network;
		const char *address;
		bool contains;
	} cases[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"192.168.4.0/22", "192.168.7.255", true},
		{"192.168.4.0/22", "192.168.8.0", false},
		{"0.0.0.0/0", "255.1.2.3", true},
		{"0.0.0.0/0", "::1", false},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.0", false},
		{"::1/128", "::1", true},
		{"::1", "::2", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"::/0", "2001:db8::1", true},
		{"::/0", "10.0.0.1", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"::/0", "::ffff:10.1.2.3", false},
		{"::ffff:10.0.0.0/104", "10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "::ffff:11.1.2.3", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cidr cidr;
		struct addr addr = ip(cases[i].address);

		ck_assert_msg(cidr_parse(cases[i].network, &cidr), "%s", cases[i].network);
		ck_assert_msg(cidr_contains(&cidr, &addr) == cases[i].contains, "%s %s",
			      cases[i].network, cases[i].address);
	}
}
END_TEST

START_TEST(test_unix_peers_are_in_no_network)
{
	struct cidr cidr;
	struct addr addr;

	ck_assert(cidr_parse("0.0.0.0/0", &cidr) && addr_parse("unix:/a", &addr));
	ck_assert(!cidr_contains(&cidr, &addr));
}
END_TEST

START_TEST(test_bad_networks_are_refused)
{
	static const char *const texts[] = {
		"",
		"/",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.1/8",
		"10.0.0.0/-1",
		"10.0.0.0/8/8",
		"::/129",
		"::1/127",
		"10/8",
		"localhost",
		"10.0.0.0:80",
		"10.0.0.0/8 ",
		"[::1]/128",
		"fe80::1%lo",
		"10.0.0.0/99999999999999999999",
	};
	struct cidr cidr = {.bits = 7};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		ck_assert_msg(!cidr_parse(texts[i], &cidr), "%s", texts[i]);
		ck_assert_uint_eq(cidr.bits, 7);
	}
}
END_TEST

SUITE_MAIN("base/addr", test_what_is_written_is_what_was_read,
	   test_what_is_no_address_is_refused_and_leaves_the_output_alone,
	   test_unix_paths_hold_107_bytes, test_peers_without_a_path_can_be_written, test_ip_alone,
	   test_loopback, test_equality_sees_family_bytes_and_port, test_networks,
	   test_unix_peers_are_in_no_network, test_bad_networks_are_refused)
