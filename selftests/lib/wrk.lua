-- SPDX-License-Identifier: GPL-2.0
-- What a run of wrk came to, in one line that a shell can eval. Times are in us.
-- "failed" is everything but a good answer in time. "-- PAUSE REQUESTS" at the end of
-- wrk's command line: each connection pauses for PAUSE ms before each request; the run
-- ends after REQUESTS answers. Either may be empty.
init = function(args)
	local pause, left = tonumber(args[1]), tonumber(args[2])
	if pause then
		delay = function() return pause end
	end
	if left then
		response = function()
			left = left - 1
			if left == 0 then wrk.thread:stop() end
		end
	end
end

done = function(summary, latency, requests)
	local e = summary.errors
	io.write(string.format(
		"SLB requests=%d us=%d failed=%d p50=%d p99=%d p999=%d max=%d\n",
		summary.requests, summary.duration,
		e.connect + e.read + e.write + e.status + e.timeout,
		latency:percentile(50), latency:percentile(99),
		latency:percentile(99.9), latency.max))
end
