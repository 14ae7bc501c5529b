// SPDX-License-Identifier: GPL-2.0
/* Positive control: the compiler line works on this kernel's headers. */
#include <linux/module.h>
#include <net/ip_vs.h>
#include <linux/sysctl.h>
