/* Turns measurements into what is wrong and what to do. */
#include "daemon/doctor_reason.h"

#include "base/str.h"
#include "daemon/doctor_probe.h"
#include "http/parser.h"
#include "net/lookup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400, DURATION_BYTES = 32 };

static void say(char out[REASON_BYTES], const char *format, ...) PRINTF_LIKE(2, 3);

static void say(char out[REASON_BYTES], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(out, REASON_BYTES, format, arguments);
	va_end(arguments);
}

/* --- the name --- */

void reason_of_lookup(int status, const char *host, const char *servers, struct reason *ret_reason)
{
	const char *which = servers[0] != '\0' ? servers : "none named, so this machine itself";

	ret_reason->remedy[0] = '\0';
	switch (lookup_verdict_of(status)) {
	case LOOKUP_NO_SUCH_NAME:
		say(ret_reason->what, "DNS says that there is no name %s (asked: %s)", host, which);
		say(ret_reason->remedy,
		    "correct upstream.url; if the name is right, the DNS servers of /etc/resolv.conf do not know it");
		break;
	case LOOKUP_NO_ADDRESS:
		say(ret_reason->what, "DNS knows the name %s, but no address of it (asked: %s)",
		    host, which);
		say(ret_reason->remedy, "correct upstream.url");
		break;
	case LOOKUP_SERVERS_SILENT:
		say(ret_reason->what, "the DNS servers do not answer in time (asked: %s)", which);
		say(ret_reason->remedy,
		    "is this machine on the network, does a DNS server run there, and may UDP go to its port 53? "
		    "/etc/resolv.conf names the servers");
		break;
	case LOOKUP_SERVERS_FAIL:
		say(ret_reason->what,
		    "the DNS servers fail, refuse or cannot be reached (asked: %s)", which);
		say(ret_reason->remedy,
		    "name a DNS server that works in /etc/resolv.conf; `getent hosts %s` asks them too",
		    host);
		break;
	case LOOKUP_FOUND:
	case LOOKUP_OTHER_FAULT:
		say(ret_reason->what, "the look-up failed: %s (asked: %s)",
		    lookup_status_text(status), which);
		break;
	}
}

/* --- TCP --- */

static void say_connect(const struct probe *probe, const struct reason_context *context,
			struct reason *reason)
{
	char wait[DURATION_BYTES];

	if (probe->is_late || probe->error == ETIMEDOUT) {
		say(reason->what, "a black hole: nothing came back within %s",
		    str_write_duration(wait, sizeof(wait), context->connect_ms));
		say(reason->remedy,
		    "a firewall on the way drops the packets, or the host is down: try from another network, and look at the "
		    "rules for outgoing connections here");
		return;
	}
	switch (probe->error) {
	case ECONNREFUSED:
	case ECONNRESET:
		say(reason->what, "refused: the host is there, and nothing listens on this port");
		say(reason->remedy,
		    "is the port in upstream.url right? Else the server is down, or a firewall refuses in its name");
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
		say(reason->what, "no way there: %s", strerror(probe->error));
		say(reason->remedy,
		    "this machine has no route to that address: is the network up (`ip route`)?");
		break;
	case EMFILE:
	case ENFILE:
		say(reason->what, "no file descriptor is left here");
		say(reason->remedy, "raise ulimit -n or LimitNOFILE=");
		break;
	default:
		say(reason->what, "cannot connect: %s", strerror(probe->error));
		break;
	}
}

/* --- TLS --- */

static const char filtered[] =
	"a firewall or a proxy on the way filters by name, or the server is overloaded: try from another network";

static void say_not_tls(const struct probe *plain, const struct reason_context *context,
			struct reason *reason)
{
	char text[REASON_TEXT_BYTES];

	if (plain != NULL && plain->answers > 0) {
		say(reason->what,
		    "not TLS: plain HTTP is spoken on this port (it answers HEAD / with %u)",
		    plain->head.status);
		say(reason->remedy,
		    "correct the port in upstream.url; http://%s only if that server is yours, since everything would then go in clear text",
		    context->authority);
		return;
	}
	say(reason->what, "not TLS: something else answers on this port");
	if (plain != NULL && plain->text_bytes > 0) {
		say(reason->what,
		    "not TLS: something else answers on this port, which begins with '%s'",
		    reason_text((struct span){plain->text, plain->text_bytes}, text));
	}
	say(reason->remedy,
	    "correct the port in upstream.url, or look for what takes the connection on its way "
	    "(a proxy, a captive portal)");
}

static void say_issuer(const struct probe *probe, const struct reason_context *context,
		       struct reason *reason)
{
	const struct tls_facts *tls = &probe->tls;

	say(reason->what,
	    "certificate of an unknown issuer: it was issued by %s, which %s does not know%s",
	    tls->issuer, context->ca_file[0] != '\0' ? context->ca_file : "this machine's store",
	    tls->is_leaf_only ? "; the server sends no issuer's certificate along" : "");
	if (context->ca_file[0] != '\0') {
		say(reason->remedy,
		    "upstream.ca_file replaces the system's store: add that issuer to it, or leave the option out");
		return;
	}
	say(reason->remedy,
	    "a private authority: name its certificate in upstream.ca_file. A public one: install or renew the package "
	    "ca-certificates. Neither: somebody on the way answers in the server's place");
}

static void say_dates(const struct probe *probe, const struct reason_context *context,
		      struct reason *reason)
{
	int64_t days = probe->tls.expires_s / DAY_S;
	char now[32] = "";
	time_t now_s = (time_t)context->now_s;
	struct tm tm;

	if (gmtime_r(&now_s, &tm) != NULL) {
		strftime(now, sizeof(now), "%Y-%m-%d %H:%M UTC", &tm);
	}
	if (probe->tls.fault == TLS_FAULT_EXPIRED && probe->tls.expires_s < 0) {
		say(reason->what, "certificate expired %" PRId64 " days ago (%s)", -days,
		    probe->tls.subject);
	} else if (probe->tls.fault == TLS_FAULT_EXPIRED) {
		say(reason->what, "certificate expired: that of an issuer in its chain (%s)",
		    probe->tls.issuer);
	} else {
		say(reason->what, "certificate not yet valid (%s)", probe->tls.subject);
	}
	say(reason->remedy,
	    "is it %s? If not, set this machine's clock. If so, the server's owner has to renew it",
	    now);
}

static void say_broken(const struct probe *probe, struct reason *reason)
{
	say(reason->what, "connection %s in the TLS handshake",
	    probe->tls.fault == TLS_FAULT_RESET ? "reset" : "ended");
	say(reason->remedy, "%s", filtered);
}

static void say_refused_handshake(const struct probe *probe, const struct reason_context *context,
				  struct reason *reason)
{
	if (probe->tls.fault == TLS_FAULT_VERSION) {
		say(reason->what, "no TLS version in common: 1.2 or newer is asked for");
		say(reason->remedy, "the server, or a proxy on the way, has to be renewed");
		return;
	}
	say(reason->what, "the server refuses the TLS handshake (an alert)");
	say(reason->remedy,
	    "does it serve the name %s? It may want another one, or a client certificate",
	    context->host);
}

static void say_foreign_certificate(const struct probe *probe, const struct reason_context *context,
				    struct reason *reason)
{
	if (probe->tls.fault == TLS_FAULT_WRONG_NAME) {
		say(reason->what, "certificate for another name: it is for %s, not for %s",
		    probe->tls.names, context->host);
		say(reason->remedy,
		    "use a name that it has in upstream.url; if the name is right, DNS leads to another server, or a captive "
		    "portal or a proxy answers in its place");
		return;
	}
	say(reason->what, "certificate signed by itself (%s), so nobody vouches for it",
	    probe->tls.subject);
	say(reason->remedy,
	    "if the server is yours, name this certificate in upstream.ca_file; else somebody on the way (a captive portal, a "
	    "proxy) answers in the server's place");
}

static void say_handshake(const struct probe *probe, const struct probe *plain,
			  const struct reason_context *context, struct reason *reason)
{
	switch (probe->tls.fault) {
	case TLS_FAULT_NOT_TLS:
		say_not_tls(plain, context, reason);
		break;
	case TLS_FAULT_RESET:
	case TLS_FAULT_ENDED:
		say_broken(probe, reason);
		break;
	case TLS_FAULT_VERSION:
	case TLS_FAULT_ALERT:
		say_refused_handshake(probe, context, reason);
		break;
	case TLS_FAULT_EXPIRED:
	case TLS_FAULT_NOT_YET_VALID:
		say_dates(probe, context, reason);
		break;
	case TLS_FAULT_WRONG_NAME:
	case TLS_FAULT_SELF_SIGNED:
		say_foreign_certificate(probe, context, reason);
		break;
	case TLS_FAULT_UNKNOWN_ISSUER:
		say_issuer(probe, context, reason);
		break;
	case TLS_FAULT_CERTIFICATE:
		say(reason->what, "certificate not accepted (%s, issued by %s)", probe->tls.subject,
		    probe->tls.issuer);
		break;
	case TLS_FAULT_NONE:
	case TLS_FAULT_OTHER:
		say(reason->what, "the TLS handshake failed");
		break;
	}
}

static void say_stalled(const struct probe *plain, const struct reason_context *context,
			struct reason *reason)
{
	char wait[DURATION_BYTES];

	if (plain != NULL && plain->answers > 0) {
		say_not_tls(plain, context, reason);
		return;
	}

	say(reason->what, "the TLS handshake stalls: connected, then silence for the rest of %s",
	    str_write_duration(wait, sizeof(wait), context->connect_ms));
	say(reason->remedy, "%s; or raise timeouts.connect if the line is that slow", filtered);
}

/* --- HTTP --- */

static bool looks_like_tls(const struct probe *probe)
{
	/* An alert, as a server of TLS answers to a plain request (RFC 8446 section 5.1). */
	return probe->text_bytes >= 2 && probe->text[0] == 0x15 && probe->text[1] == 0x03;
}

static void say_no_answer(const struct probe *probe, const struct reason_context *context,
			  struct reason *reason)
{
	char text[REASON_TEXT_BYTES];
	char wait[DURATION_BYTES];

	if (looks_like_tls(probe)) {
		say(reason->what, "TLS is spoken on this port, not plain HTTP");
		say(reason->remedy, "write https:// in upstream.url");
	} else if (probe->is_wrong) {
		say(reason->what, "the answer is no HTTP/1.1: it begins with '%s'",
		    reason_text((struct span){probe->text, probe->text_bytes}, text));
		say(reason->remedy,
		    "is this the API's port? Something else answers, or a proxy on the way spoils it");
	} else if (probe->is_late) {
		say(reason->what, "connected, but HEAD / is not answered within %s",
		    str_write_duration(wait, sizeof(wait), context->answer_ms));
		say(reason->remedy,
		    "the server is overloaded or stuck: try again, and ask its owner if it stays so");
	} else {
		say(reason->what,
		    "connected, but the connection was %s instead of an answer to HEAD /",
		    probe->error == ECONNRESET ? "reset" : "ended");
		say(reason->remedy, "%s",
		    context->is_tls
			    ? "the server or a proxy on the way does not want this request: is the name in upstream.url right?"
			    : "does the server want TLS? Then write https:// in upstream.url");
	}
}

void reason_of_failure(const struct probe *probe, const struct probe *plain,
		       const struct reason_context *context, struct reason *ret_reason)
{
	ret_reason->what[0] = '\0';
	ret_reason->remedy[0] = '\0';
	switch (probe->stage) {
	case PROBE_CONNECTING:
		say_connect(probe, context, ret_reason);
		break;
	case PROBE_HANDSHAKING:
		if (probe->is_late) {
			say_stalled(plain, context, ret_reason);
		} else {
			say_handshake(probe, plain, context, ret_reason);
		}
		break;
	case PROBE_ASKING:
	case PROBE_DONE:
		say_no_answer(probe, context, ret_reason);
		break;
	}
}

/* --- an answer --- */

static bool is_html(const struct probe *probe)
{
	const struct span html = SPAN("text/html");
	struct span type = reason_field(probe, SPAN("content-type"));

	return type.len >= html.len && span_is_nocase((struct span){type.data, html.len}, html);
}

/* Where the answer sends us, if that is another site; false otherwise. */
static bool leads_elsewhere(const struct probe *probe, const char *host, struct span *ret_other)
{
	struct span location = reason_field(probe, SPAN("location"));

	if (probe->head.status < 300 || probe->head.status > 399) {
		return false;
	}
	return reason_url_host(location, ret_other) &&
	       !reason_is_same_site(*ret_other, span_of(host));
}

enum answer_verdict reason_of_answer(const struct probe *probe,
				     const struct reason_context *context,
				     struct reason *ret_reason)
{
	static const char portal[] =
		"open any http:// page in a browser on this network and sign in, or use another network";
	bool is_proven = context->is_tls && context->is_verified;
	unsigned status = probe->head.status;
	char text[REASON_TEXT_BYTES];
	struct span other;

	ret_reason->what[0] = '\0';
	ret_reason->remedy[0] = '\0';
	if (status == 511) {
		say(ret_reason->what,
		    "a captive portal: the network wants a sign-in first (511, RFC 6585)");
		say(ret_reason->remedy, "%s", portal);
		return ANSWER_FOREIGN;
	}
	if (status == 407) {
		say(ret_reason->what, "a proxy on the way wants credentials (407)");
		say(ret_reason->remedy,
		    "let this machine past it: warmpool goes straight to the upstream");
		return ANSWER_FOREIGN;
	}
	if (leads_elsewhere(probe, context->host, &other)) {
		say(ret_reason->what, "%s: the answer is a redirect (%u) to another site, %s",
		    is_proven ? "it may be a captive portal that this machine trusts"
			      : "a captive portal",
		    status, reason_text(other, text));
		say(ret_reason->remedy, "%s",
		    is_proven ? "is this the API's own site? Then all is well" : portal);
		return is_proven ? ANSWER_DOUBTFUL : ANSWER_FOREIGN;
	}
	if (!is_proven && is_html(probe)) {
		say(ret_reason->what, "the answer is HTML, and nothing proves whose it is: "
				      "it may be a captive portal's page");
		say(ret_reason->remedy,
		    "use https:// with verification, or look at the page: curl -i http%s://%s/",
		    context->is_tls ? "s" : "", context->authority);
		return ANSWER_DOUBTFUL;
	}
	if (status >= 500) {
		say(ret_reason->what, "the server answers HEAD / with %u: it has trouble itself",
		    status);
		say(ret_reason->remedy, "try again later, and ask its owner if it stays so");
		return ANSWER_DOUBTFUL;
	}
	if (status == 403 || status == 429) {
		say(ret_reason->what,
		    "the server answers HEAD / with %u: it may refuse this address", status);
		say(ret_reason->remedy,
		    "see whether a script's call is answered: that is what counts");
		return ANSWER_DOUBTFUL;
	}
	return ANSWER_USUAL;
}
