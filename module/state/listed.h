/* SPDX-License-Identifier: GPL-2.0 */
/* Services that an administrator lists: served by flows under any scope, or never. */
#ifndef _SLB_LISTED_H
#define _SLB_LISTED_H

#include <linux/types.h>

#include "ipvs/conn.h"

struct ip_vs_conn;
struct slb_listed;
struct slb_ns;

struct slb_listed *slb_listed_parse(const char *text, size_t len);
const char *slb_listed_text(const struct slb_listed *list);
bool slb_listed_same(const struct slb_listed *a, const struct slb_listed *b);
void slb_listed_free(struct slb_listed *list);
enum slb_scope slb_listed_scope(const struct slb_ns *ns, const struct ip_vs_conn *cp);

#endif /* _SLB_LISTED_H */
