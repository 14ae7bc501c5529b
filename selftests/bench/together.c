// SPDX-License-Identifier: GPL-2.0
/*
 * The same load on several CPUs at once, as a network device spreads it: each CPU receives
 * the packets of its own flows. They begin together, when all are warm, and what counts is
 * the time until the last of them is done.
 *
 * A worker belongs to its thread until slb_bench_together() has waited for its end.
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "bench.h"

/**
 * struct slb_bench_worker - what one CPU does
 * @job: a copy
 * @warm: workers that are not yet warm, of all
 * @start: when it began
 * @end: when it was done
 * @err: how it ended
 * @done: that it did
 */
struct slb_bench_worker {
	struct slb_bench_job	job;
	atomic_t		*warm;
	u64			start;
	u64			end;
	int			err;
	struct completion	done;
};

static int slb_bench_work(void *arg)
{
	struct slb_bench_worker *w = arg;
	u32 i;

	for (i = 0; i < w->job.warm && !w->err; i++)
		w->err = slb_bench_pass(&w->job, w->job.flows, NULL);
	atomic_dec(w->warm);
	while (atomic_read(w->warm) > 0)
		cond_resched();
	w->start = slb_bench_now(w->job.tsc);
	if (!w->err)
		w->err = slb_bench_pass(&w->job, w->job.packets, NULL);
	w->end = slb_bench_now(w->job.tsc);
	complete(&w->done);
	return 0;
}

static int slb_bench_start(struct slb_bench_worker *w, u32 cpu)
{
	struct task_struct *task;

	init_completion(&w->done);
	task = kthread_create_on_cpu(slb_bench_work, w, cpu, "slb_bench/%u");
	if (IS_ERR(task))
		return PTR_ERR(task);
	wake_up_process(task);
	return 0;
}

/**
 * slb_bench_together() - do a job on several CPUs
 * @job: what to do, by CPUs 0 to @cpus less one
 *
 * Context: process.
 * Return: 0 and @elapsed filled in, or a negative error.
 */
int slb_bench_together(struct slb_bench_job *job)
{
	struct slb_bench_worker *w;
	u64 start = U64_MAX, end = 0;
	atomic_t warm;
	int err = 0;
	u32 i, n;

	w = kcalloc(job->cpus, sizeof(*w), GFP_KERNEL);
	if (!w)
		return -ENOMEM;
	atomic_set(&warm, job->cpus);
	for (n = 0; n < job->cpus; n++) {
		w[n].job = *job;
		w[n].job.first = n * job->flows;
		w[n].warm = &warm;
		err = cpu_online(n) ? slb_bench_start(&w[n], n) : -ENODEV;
		if (err)
			break;
	}
	/* those that do not come are not waited for */
	atomic_sub(job->cpus - n, &warm);
	for (i = 0; i < n; i++) {
		wait_for_completion(&w[i].done);
		err = err ?: w[i].err;
		start = min(start, w[i].start);
		end = max(end, w[i].end);
	}
	job->elapsed = end - start;
	kfree(w);
	return err;
}
