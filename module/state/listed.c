// SPDX-License-Identifier: GPL-2.0
/*
 * Services that an administrator lists: served by flows under any scope, or never.
 *
 *  operation                   | locking
 * -----------------------------+-------------------------------------------------
 *  slb_listed_parse, _free     | process, nobody else refers to the list
 *  slb_listed_scope            | RCU
 *
 * A list is text in net.shadowlb: tcp:192.0.2.1:80,udp:[2001:db8::1]:53,fwm:5,fwm6:5. It names
 * services as ipvsadm does, also those that do not exist yet: whoever sets up IPVS need not know.
 */
#include <linux/bsearch.h>
#include <linux/ctype.h>
#include <linux/inet.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "state/listed.h"
#include "state/ns.h"
#include "state/service.h"

#define SLB_LISTED_MAX	65536u

/* Room for a service's name: the longest protocol, an IPv6 address and a port. */
#define SLB_LISTED_NAME	64

/**
 * struct slb_listed - services, sorted
 * @text: their names
 * @n: number of services
 * @key: their keys
 */
struct slb_listed {
	char			*text;
	u32			n;
	struct slb_service_key	key[];
};

static const struct {
	const char	*name;
	u8		proto;		/* 0: a firewall mark */
	u8		af;		/* of a firewall mark */
} slb_listed_kinds[] = {
	{ "tcp:",  IPPROTO_TCP,  0 },
	{ "udp:",  IPPROTO_UDP,  0 },
	{ "sctp:", IPPROTO_SCTP, 0 },
	{ "fwm:",  0,            AF_INET },
	{ "fwm6:", 0,            AF_INET6 },
};

static int slb_listed_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct slb_service_key));
}

/* address:port, an IPv6 address in brackets */
static int slb_listed_endpoint(struct slb_service_key *key, const char *text)
{
	const char *end;
	u16 port;

	if (*text == '[') {
		key->af = AF_INET6;
		if (!in6_pton(text + 1, -1, (u8 *)&key->addr.in6, ']', &end) || *end++ != ']')
			return -EBADMSG;
	} else {
		key->af = AF_INET;
		if (!in4_pton(text, -1, (u8 *)&key->addr.ip, ':', &end))
			return -EBADMSG;
	}
	if (*end != ':' || kstrtou16(end + 1, 10, &port))
		return -EBADMSG;
	key->port = htons(port);
	return 0;
}

/* A decimal number, or a hexadecimal one after 0x. */
static int slb_listed_mark(u32 *mark, const char *text)
{
	int base = strncasecmp(text, "0x", 2) ? 10 : 16;

	return kstrtou32(text, base, mark) || !*mark ? -EBADMSG : 0;
}

static int slb_listed_service(struct slb_service_key *key, const char *text)
{
	size_t i, len;

	memset(key, 0, sizeof(*key));
	for (i = 0; i < ARRAY_SIZE(slb_listed_kinds); i++) {
		len = strlen(slb_listed_kinds[i].name);
		if (!strncasecmp(text, slb_listed_kinds[i].name, len))
			break;
	}
	if (i == ARRAY_SIZE(slb_listed_kinds))
		return -EBADMSG;
	key->proto = slb_listed_kinds[i].proto;
	if (!key->proto) {
		key->af = slb_listed_kinds[i].af;
		return slb_listed_mark(&key->fwmark, text + len);
	}
	return slb_listed_endpoint(key, text + len);
}

/* Sorted, each service once. */
static void slb_listed_sort(struct slb_listed *list)
{
	u32 i, n = 0;

	sort(list->key, list->n, sizeof(*list->key), slb_listed_compare, NULL);
	for (i = 0; i < list->n; i++)
		if (!n || slb_listed_compare(&list->key[i], &list->key[n - 1]))
			list->key[n++] = list->key[i];
	list->n = n;
}

static int slb_listed_name(char *text, const struct slb_service_key *key)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(slb_listed_kinds) - 1; i++)
		if (slb_listed_kinds[i].proto == key->proto &&
		    (key->proto || slb_listed_kinds[i].af == key->af))
			break;
	if (key->fwmark)
		return scnprintf(text, SLB_LISTED_NAME, "%s%u,", slb_listed_kinds[i].name,
				 key->fwmark);
	if (key->af == AF_INET6)
		return scnprintf(text, SLB_LISTED_NAME, "%s[%pI6c]:%u,", slb_listed_kinds[i].name,
				 &key->addr.in6, ntohs(key->port));
	return scnprintf(text, SLB_LISTED_NAME, "%s%pI4:%u,", slb_listed_kinds[i].name,
			 &key->addr.ip, ntohs(key->port));
}

/* The names of all services, with commas between them. */
static void slb_listed_format(struct slb_listed *list)
{
	size_t len = 0;
	u32 i;

	for (i = 0; i < list->n; i++)
		len += slb_listed_name(list->text + len, &list->key[i]);
	list->text[len - 1] = '\0';
}

/* Text to services. Changes the text. */
static int slb_listed_fill(struct slb_listed *list, char *text)
{
	char *word;
	int err;

	while ((word = strsep(&text, ", \t\n"))) {
		if (!*word)
			continue;
		if (list->n == SLB_LISTED_MAX)
			return -E2BIG;
		err = slb_listed_service(&list->key[list->n++], word);
		if (err)
			return err;
		cond_resched();
	}
	slb_listed_sort(list);
	return 0;
}

/**
 * slb_listed_parse() - make a list of text
 * @text: services, with commas or white space between them
 * @len: its length, in bytes
 *
 * The caller's memory cgroup pays.
 *
 * Context: process.
 * Return: the list; NULL if @text has no service; -EBADMSG, -E2BIG or -ENOMEM.
 */
struct slb_listed *slb_listed_parse(const char *text, size_t len)
{
	struct slb_listed *list;
	int err = -ENOMEM;
	u32 max = 1;
	size_t i;
	char *copy;

	for (i = 0; i < len; i++)
		max += text[i] == ',' || isspace(text[i]);
	copy = kvmalloc(len + 1, GFP_KERNEL);
	list = kvzalloc(struct_size(list, key, min(max, SLB_LISTED_MAX)), GFP_KERNEL_ACCOUNT);
	if (copy && list) {
		memcpy(copy, text, len);
		copy[len] = '\0';
		err = slb_listed_fill(list, copy);
	}
	kvfree(copy);
	if (!err && list->n) {
		list->text = kvmalloc_array(list->n, SLB_LISTED_NAME, GFP_KERNEL_ACCOUNT);
		if (list->text) {
			slb_listed_format(list);
			return list;
		}
		err = -ENOMEM;
	}
	kvfree(list);
	return ERR_PTR(err);
}

/**
 * slb_listed_text() - get a list as text
 * @list: the list, or NULL
 *
 * Context: any that keeps the list.
 */
const char *slb_listed_text(const struct slb_listed *list)
{
	return list ? list->text : "";
}

/**
 * slb_listed_same() - true if two lists name the same services
 * @a: a list, or NULL
 * @b: a list, or NULL
 *
 * Context: any that keeps the lists.
 */
bool slb_listed_same(const struct slb_listed *a, const struct slb_listed *b)
{
	return !strcmp(slb_listed_text(a), slb_listed_text(b));
}

/**
 * slb_listed_free() - free a list
 * @list: the list, which nobody reads any more; or NULL
 *
 * Context: process.
 */
void slb_listed_free(struct slb_listed *list)
{
	if (!list)
		return;
	kvfree(list->text);
	kvfree(list);
}

static bool slb_listed_has(const struct slb_listed *list, const struct slb_service_key *key)
{
	return list && bsearch(key, list->key, list->n, sizeof(*key), slb_listed_compare);
}

/**
 * slb_listed_scope() - get the scope that holds for a connection
 * @ns: the namespace
 * @cp: the connection, held
 *
 * Scope 0 holds for all services. A service in both lists is not served.
 *
 * Context: RCU.
 */
enum slb_scope slb_listed_scope(const struct slb_ns *ns, const struct ip_vs_conn *cp)
{
	const struct slb_listed *on = rcu_dereference(ns->listed_on);
	const struct slb_listed *off = rcu_dereference(ns->listed_off);
	enum slb_scope scope = READ_ONCE(ns->scope);
	struct slb_service_key key;

	if (scope == SLB_SCOPE_OFF || (!on && !off) || !slb_service_key(&key, cp))
		return scope;
	if (slb_listed_has(off, &key))
		return SLB_SCOPE_OFF;
	return slb_listed_has(on, &key) ? SLB_SCOPE_ALL : scope;
}
