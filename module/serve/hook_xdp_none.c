// SPDX-License-Identifier: GPL-2.0
/* Stub of hook_xdp.c, for kernels without XDP for modules. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>

#include "serve/hook_xdp.h"

static const char slb_xdp_absence[] =
	"this kernel is older than 6.9, or was built without BTF for modules or VLANs";

/**
 * slb_xdp_init() - say that there is no XDP
 *
 * Context: process, once.
 */
void slb_xdp_init(void)
{
	pr_info("no XDP: %s\n", slb_xdp_absence);
}

/**
 * slb_xdp_missing() - why is there no XDP?
 *
 * Context: any.
 * Return: why not.
 */
const char *slb_xdp_missing(void)
{
	return slb_xdp_absence;
}
