#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: 6.12
# slb-also: 6.1 uml smp
# slb-timeout: 120
#
# What README says of the next boot: its commands are run here as they stand there, and then
# what a boot does with the files (systemd-modules-load, systemd-sysctl, or the kernel's
# own modprobe). systemd itself is not there: modprobe and sysctl are.

set -u
. lib/stat.sh
. lib/net.sh

modules=/etc/modules-load.d/shadowlb.conf
options=/etc/modprobe.d/shadowlb.conf
sysctls=/etc/sysctl.d/shadowlb.conf

down() {
	slb_net_down
	rm -f $modules $options $sysctls
}
trap down EXIT

# Each line of a file in /etc/modules-load.d names a module.
load() { xargs -r modprobe -a <$modules; }
# Files name sysctls that there are not yet: no error.
set_sysctls() { sysctl --system --pattern '^net\.shadowlb\.' >/dev/null 2>&1 || :; }
here() { sysctl -n "net.shadowlb.$1"; }
there() { slb_in "$1" sysctl -n "net.shadowlb.$2"; }
hooked_in() { slb_in "$1" grep -qx 'hooked 1' /proc/net/shadowlb; }
unload_now() { slb_wait 10 eval 'rmmod shadowlb 2>/dev/null' && ! [ -e /proc/sys/net/shadowlb ]; }
sysctl_there() { [ -e /proc/sys/net/shadowlb/scope ]; }

mkdir -p /etc/modules-load.d /etc/modprobe.d /etc/sysctl.d
mapfile -t lines < <(sed -n 's,^    \(echo .*>/etc/.*\),\1,p' "$SLB_SRC/README.md")
slb_is "README's commands for the next boot" ${#lines[@]} eq 3
for line in "${lines[@]}"; do
	slb_note "$line"
	eval "$line"
done
for file in $modules $options $sysctls; do
	[ -s $file ] || slb_bail "README does not write $file"
done

# as systemd does: modules, then sysctls
ip netns add slb-rs1
slb_must 'the module is loaded' load
set_sysctls
ip netns add slb-dir
slb_same 'scope, where sysctls are set' "$(here scope)" 2
slb_same 'scope in a namespace that was there' "$(there rs1 scope)" 2
slb_same 'scope in a new one' "$(there dir scope)" 2
slb_check 'which serves' hooked_in dir
slb_same 'lease, where sysctls are set' "$(here lease)" 5
slb_same 'lease in a new namespace' "$(there dir lease)" 10
slb_check 'the module goes' unload_now

# sysctls first: options hold all the same
set_sysctls
slb_must 'sysctls before the module: it is loaded' load
slb_same 'scope' "$(here scope)" 2
slb_same 'lease' "$(here lease)" 10
slb_check 'the module goes' unload_now

# nobody but ipvsadm loads it
rm $modules
rmmod ip_vs_shadow
slb_check 'ipvsadm loads the scheduler' slb_in dir ipvsadm -A -u 10.9.9.9:9 -s shadow
slb_must 'and that the module' slb_wait 30 sysctl_there
slb_same 'scope in a namespace that was there' "$(there rs1 scope)" 2
ip netns add slb-client
slb_same 'scope in a new one' "$(there client scope)" 2
slb_in dir ipvsadm -C
slb_check 'the module goes' unload_now

# other values, and the parameter in the command
for scope in 0 1; do
	echo "options shadowlb scope=$scope flows=4096" >$options
	slb_must "scope=$scope: the module is loaded" modprobe shadowlb
	slb_same "scope=$scope: scope" "$(there dir scope)" $scope
	slb_same "scope=$scope: flows" "$(</sys/module/shadowlb/parameters/flows)" 4096
	slb_check "scope=$scope: the module goes" unload_now
done
slb_must 'the last option wins' modprobe shadowlb scope=2
slb_same 'scope' "$(there dir scope)" 2
slb_check 'the module goes' unload_now
slb_done
