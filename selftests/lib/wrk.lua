-- SPDX-License-Identifier: GPL-2.0
-- What a run of wrk came to, in one line that a shell can eval. Times are in us.
-- "failed" is everything but a good answer in time. "-- N" at the end of wrk's command
-- line has each connection pause for N ms before each request.
init = function(args)
	local pause = tonumber(args[1])
	if pause then
		delay = function() return pause end
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
