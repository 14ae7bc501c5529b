// SPDX-License-Identifier: GPL-2.0
/* The tracepoints of flow/trace.h. */
#include <linux/module.h>

#define CREATE_TRACE_POINTS
#include "flow/trace.h"
