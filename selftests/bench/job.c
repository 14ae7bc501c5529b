// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/slb_bench: a job is written as one line of name=value, done before write()
 * returns, and its result read. See struct slb_bench_job and slb_bench_fields().
 */
#include <linux/inet.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <net/net_namespace.h>

#include "bench.h"

static DEFINE_MUTEX(slb_bench_mutex);
static struct slb_bench_job slb_bench_last;

static const char *const slb_bench_names[] = {
	[SLB_BENCH_RECEIVE]	= "receive",
	[SLB_BENCH_DROP]	= "drop",
	[SLB_BENCH_FORWARD]	= "forward",
	[SLB_BENCH_INGRESS]	= "ingress",
	[SLB_BENCH_EMPTY]	= "empty",
	[SLB_BENCH_TRIP]	= "trip",
	[SLB_BENCH_XDP]		= "xdp",
};

static bool slb_bench_address(const char *text, bool v6,
			      union nf_inet_addr *addr)
{
	return v6 ? in6_pton(text, -1, (u8 *)addr, -1, NULL) :
		    in4_pton(text, -1, (u8 *)addr, -1, NULL);
}

static int slb_bench_device(struct slb_bench_job *job, const char *name,
			    struct net_device **dev)
{
	dev_put(*dev);
	*dev = dev_get_by_name(job->net, name);
	return *dev ? 0 : -ENODEV;
}

static int slb_bench_text(struct slb_bench_job *job, const char *name,
			  const char *value)
{
	int i;

	if (!strcmp(name, "dev"))
		return slb_bench_device(job, value, &job->dev);
	if (!strcmp(name, "client"))
		return slb_bench_device(job, value, &job->client);
	if (!strcmp(name, "server"))
		return slb_bench_device(job, value, &job->server);
	if (!strcmp(name, "src"))
		job->v6 = strchr(value, ':');
	if (!strcmp(name, "src"))
		return slb_bench_address(value, job->v6, &job->src) ? 0 : -EINVAL;
	if (!strcmp(name, "dst"))
		return slb_bench_address(value, job->v6, &job->dst) ? 0 : -EINVAL;
	if (!strcmp(name, "via"))
		return slb_bench_address(value, job->v6, &job->via) ? 0 : -EINVAL;
	if (strcmp(name, "what"))
		return -ENOENT;
	i = match_string(slb_bench_names, ARRAY_SIZE(slb_bench_names), value);
	if (i < 0)
		return i;
	job->what = i;
	return 0;
}

static int slb_bench_number(struct slb_bench_job *job, const char *name,
			    const char *value)
{
	u32 n;
	int err = kstrtou32(value, 0, &n);

	if (err)
		return err;
	if (!strcmp(name, "proto"))
		job->proto = n;
	else if (!strcmp(name, "sport"))
		job->sport = n;
	else if (!strcmp(name, "dport"))
		job->dport = n;
	else if (!strcmp(name, "vary_src"))
		job->vary_src = n;
	else if (!strcmp(name, "ports"))
		job->ports = n;
	else if (!strcmp(name, "flags"))
		job->flags = n;
	else if (!strcmp(name, "flows"))
		job->flows = n;
	else if (!strcmp(name, "len"))
		job->len = n;
	else if (!strcmp(name, "warm"))
		job->warm = n;
	else if (!strcmp(name, "packets"))
		job->packets = n;
	else if (!strcmp(name, "random"))
		job->random = n;
	else if (!strcmp(name, "skew"))
		job->skew = n;
	else if (!strcmp(name, "tsc"))
		job->tsc = n;
	else if (!strcmp(name, "gap"))
		job->gap = n;
	else if (!strcmp(name, "fresh"))
		job->fresh = n;
	else if (!strcmp(name, "flood"))
		job->flood = n;
	else if (!strcmp(name, "floodport"))
		job->floodport = n;
	else if (!strcmp(name, "cpus"))
		job->cpus = n;
	else
		return -EINVAL;
	return 0;
}

static int slb_bench_fields(struct slb_bench_job *job, char *line)
{
	char *name, *value;
	int err;

	while ((name = strsep(&line, "\n "))) {
		if (!*name)
			continue;
		value = strchr(name, '=');
		if (!value)
			return -EINVAL;
		*value++ = 0;
		err = slb_bench_text(job, name, value);
		if (err == -ENOENT)
			err = slb_bench_number(job, name, value);
		if (err)
			return err;
	}
	if (!job->dev || !job->flows || !job->ports || !job->packets || job->len < 60 ||
	    job->len > 1500 ||
	    (job->proto != IPPROTO_UDP && job->proto != IPPROTO_TCP))
		return -EINVAL;
	return 0;
}

static ssize_t slb_bench_write(struct file *file, const char __user *buf,
			       size_t len, loff_t *pos)
{
	struct slb_bench_job job = {
		.net		= current->nsproxy->net_ns,
		.proto		= IPPROTO_UDP,
		.sport		= 1024,
		.dport		= 9000,
		.vary_src	= true,
		.ports		= 60000,
		.flags		= 0x10,
		.flows		= 1,
		.len		= 100,
		.packets	= 1,
	};
	char *line;
	int err;

	line = memdup_user_nul(buf, len);
	if (IS_ERR(line))
		return PTR_ERR(line);
	err = slb_bench_fields(&job, line);
	kfree(line);
	if (!err) {
		job.time = vmalloc(array_size(job.packets, sizeof(u32)));
		if (job.what == SLB_BENCH_TRIP)
			job.due = vmalloc(array_size(job.packets, sizeof(u64)));
		if (!job.time || (job.what == SLB_BENCH_TRIP && !job.due))
			err = -ENOMEM;
	}
	mutex_lock(&slb_bench_mutex);
	if (!err)
		err = slb_bench_load(&job);
	dev_put(job.dev);
	dev_put(job.client);
	dev_put(job.server);
	vfree(job.due);
	if (!err)
		swap(job, slb_bench_last);
	mutex_unlock(&slb_bench_mutex);
	vfree(job.time);
	return err ?: len;
}

static u32 slb_bench_at(const struct slb_bench_job *job, u32 parts_of_10000)
{
	return job->time[div_u64((u64)(job->packets - 1) * parts_of_10000,
				 10000)];
}

static int slb_bench_show(struct seq_file *seq, void *v)
{
	const struct slb_bench_job *job = &slb_bench_last;

	mutex_lock(&slb_bench_mutex);
	if (job->time)
		seq_printf(seq, "packets=%u mean=%llu min=%u p50=%u p90=%u p99=%u p999=%u p9999=%u max=%u lost=%u elapsed=%llu passed=%u\n",
			   job->packets, div_u64(job->sum, job->packets),
			   slb_bench_at(job, 0), slb_bench_at(job, 5000),
			   slb_bench_at(job, 9000), slb_bench_at(job, 9900),
			   slb_bench_at(job, 9990), slb_bench_at(job, 9999),
			   slb_bench_at(job, 10000),
			   job->what == SLB_BENCH_TRIP ?
			   job->packets - job->back : 0, job->elapsed,
			   job->passed);
	mutex_unlock(&slb_bench_mutex);
	return 0;
}

static int slb_bench_open(struct inode *inode, struct file *file)
{
	return single_open(file, slb_bench_show, NULL);
}

static const struct proc_ops slb_bench_ops = {
	.proc_open	= slb_bench_open,
	.proc_read	= seq_read,
	.proc_write	= slb_bench_write,
	.proc_lseek	= seq_lseek,
	.proc_release	= single_release,
};

static int __init slb_bench_init(void)
{
	return proc_create("slb_bench", 0600, NULL, &slb_bench_ops) ?
	       0 : -ENOMEM;
}

static void __exit slb_bench_exit(void)
{
	remove_proc_entry("slb_bench", NULL);
	vfree(slb_bench_last.time);
}

module_init(slb_bench_init);
module_exit(slb_bench_exit);

MODULE_DESCRIPTION("Packets for a director without wires, timed one by one");
MODULE_LICENSE("GPL");
