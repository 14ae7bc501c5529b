-- SPDX-License-Identifier: GPL-2.0
-- What a run of wrk came to, in one line that a shell can eval. Times are in us.
-- "failed" is everything but a good answer in time. "-- PAUSE REQUESTS" at the end of
-- wrk's command line: each connection pauses for PAUSE ms before each request; the run
-- ends after REQUESTS answers. Either may be empty.
local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int pid, int signal);")

init = function(args)
	local pause, left = tonumber(args[1]), tonumber(args[2])
	if pause then
		delay = function() return pause end
	end
	if left then
		response = function()
			left = left - 1
			-- SIGINT, on which wrk sums up: it sleeps till its time is over
			if left == 0 then ffi.C.kill(ffi.C.getpid(), 2) end
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
