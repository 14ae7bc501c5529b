# SPDX-License-Identifier: GPL-2.0
#
# For people: builds and installs the module and starts the tests. How the module
# itself is built stands in Kbuild, which the kernel's build reads instead of this.

KDIR ?= /lib/modules/$(shell uname -r)/build

# From dkms.conf, where they have their one place.
conf = $(shell sed -n 's/^$(1)="\(.*\)"$$/\1/p' dkms.conf)
VERSION := $(call conf,PACKAGE_VERSION)
DKMS_SRC := /usr/src/shadowlb-$(VERSION)
DKMS_FILES := $(wildcard Kbuild Makefile dkms.conf COPYING module include)
# dkms reads this file after dkms.conf; the line in it lifts the limit to tested kernels.
DKMS_ETC := /etc/dkms/shadowlb.conf
DKMS_ANY := BUILD_EXCLUSIVE_KERNEL=""

# Debian's 6.1 has its release in this header alone.
KVER = $(shell sed -n 's/^.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)
kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR)

# Where xdp-loader looks for objects
BPFDIR ?= /usr/lib/bpf
CLANG ?= clang
BPF_OBJ := bpf/shadowlb_xdp.o
TOOLDIR ?= /usr/share/shadowlb
SBINDIR ?= /usr/sbin
MANDIR ?= /usr/share/man
BASHDIR ?= /usr/share/bash-completion/completions

all: check-kdir
	+$(kbuild) modules

# The program for XDP is the same for every kernel.
bpf: $(BPF_OBJ)

%.o: %.bpf.c
	@command -v $(CLANG) >/dev/null && [ -e /usr/include/bpf/bpf_helpers.h ] || \
		{ echo 'error: no clang or libbpf: apt-get install clang libbpf-dev' >&2; exit 1; }
	$(CLANG) -O2 -g -Wall -Wextra -target bpf \
		-idirafter /usr/include/$(shell $(CC) -dumpmachine) -c $< -o $@

bpf-install: $(BPF_OBJ)
	install -D -m 644 $(BPF_OBJ) $(DESTDIR)$(BPFDIR)/shadowlb_xdp.o

# Python finds slbctl/ beside the script that the link leads to.
tool-install:
	install -d $(DESTDIR)$(TOOLDIR)/slbctl $(DESTDIR)$(SBINDIR)
	install -m 755 tool/shadowlbctl $(DESTDIR)$(TOOLDIR)
	install -m 644 tool/slbctl/*.py $(DESTDIR)$(TOOLDIR)/slbctl
	sed -i 's/^VERSION = .*/VERSION = "$(VERSION)"/' $(DESTDIR)$(TOOLDIR)/slbctl/__init__.py
	ln -sf $(TOOLDIR)/shadowlbctl $(DESTDIR)$(SBINDIR)/shadowlbctl
	install -D -m 644 tool/shadowlbctl.bash-completion $(DESTDIR)$(BASHDIR)/shadowlbctl

tool-uninstall:
	rm -f "$(DESTDIR)$(TOOLDIR)/shadowlbctl" "$(DESTDIR)$(BASHDIR)/shadowlbctl"
	rm -f "$(DESTDIR)$(SBINDIR)/shadowlbctl"
	rm -rf "$(DESTDIR)$(TOOLDIR)/slbctl"
	rmdir "$(DESTDIR)$(TOOLDIR)" 2>/dev/null || :

man-install:
	install -D -m 644 docs/shadowlb.7 $(DESTDIR)$(MANDIR)/man7/shadowlb.7
	install -D -m 644 docs/shadowlbctl.8 $(DESTDIR)$(MANDIR)/man8/shadowlbctl.8

help:
	@echo 'make                build shadowlb.ko and ip_vs_shadow.ko for the running kernel'
	@echo '  KDIR=<dir>          or for the kernel whose build directory this is'
	@echo '  ANY_KERNEL=1        for a kernel that shadowlb was not tested on, too'
	@echo '  W=1                 with more warnings'
	@echo 'make install        install them for that kernel, and run depmod'
	@echo 'make bpf-install    install the program for XDP: docs/xdp.md'
	@echo 'make tool-install   install shadowlbctl (tool-uninstall undoes that); man-install: the man pages'
	@echo 'make uninstall      undo that'
	@echo 'make dkms-install   have dkms build it, now and for each new kernel'
	@echo '  ANY_KERNEL=1        for kernels that shadowlb was not tested on, too'
	@echo 'make dkms-remove    undo that, leaving nothing behind'
	@echo 'make deb            packages for this Debian, in deb/'
	@echo 'make demo           see it work: load with shadowlb off and on, in a guest'
	@echo 'make test           what every change must pass, in guests of every supported kernel'
	@echo 'make test-all       all tests'
	@echo '  TESTS="module_params dkms"   these only'
	@echo '  KERNELS="6.1 uml"   on these kernels only'
	@echo '  FRESH=1             with the newest kernels from the mirror'
	@echo '  SEED=n              the differential test repeats this topology'
	@echo '  VERIFY=1            flows serve nothing, and are compared with IPVS'
	@echo '  HERE=1              on this kernel and its installed shadowlb, without a guest'
	@echo 'make test-fresh     make demo and make test on minimal Debian 12 and 13, an hour or more'
	@echo 'make release        check a version, and make the archive of its sources: CONTRIBUTING.md'
	@echo 'make kernels        every test on every kernel, hours: docs/kernels.md'
	@echo 'make soak           the differential test for MINUTES=30'
	@echo 'make pictures       draw docs/top.svg and docs/dashboard.svg, in eight minutes'
	@echo 'make coherence      measure stale decisions, REPEAT=100 times each: docs/coherence.md'
	@echo 'make bench          what a packet costs, with flows and without: docs/performance.md'
	@echo '  BENCH=quick         in three minutes: three ways on one kernel'
	@echo '  BENCH=native        in cycles of this CPU, by the number of connections'
	@echo '  BENCH=hits          what flows serve of too many connections'
	@echo '  BENCH=curves        by the time between packets, and the length of connections'
	@echo '  BENCH=close         requests a second without keep-alive'
	@echo '  BENCH=profile       where its instructions go: WAY=nat4 WHAT=flow'
	@echo 'make clean          remove what the build left here'
	@echo 'make clean-cache    remove everything kept for tests and demo'

# Why this kernel will not do, before the compiler says it less clearly.
check-kdir:
	@die() { echo "error: $$*" >&2; exit 1; }; \
	kdir='$(KDIR)'; \
	[ -e "$$kdir/Makefile" ] || die "no kernel headers in $$kdir:" \
		"install linux-headers-$$(uname -r), or give KDIR=<build directory>"; \
	release='$(KVER)'; config="$$kdir/.config"; \
	[ -n "$$release" ] && [ -e "$$config" ] || \
		die "$$kdir holds no configured and prepared kernel"; \
	[ -n '$(ANY_KERNEL)' ] || \
		echo "$$release" | grep -Eq '$(call conf,BUILD_EXCLUSIVE_KERNEL)' || \
		die "shadowlb is tested on Linux $(call conf,KERNELS_TESTED)," \
			"$$kdir is $$release: ANY_KERNEL=1 builds for it all the same"; \
	missing=; for c in $(call conf,BUILD_EXCLUSIVE_CONFIG); do \
		grep -q "^$$c=[ym]" "$$config" || missing="$$missing $$c"; \
	done; \
	[ -z "$$missing" ] || die "the kernel $$release lacks$$missing"; \
	! grep -q '^CONFIG_PREEMPT_RT=y' "$$config" || \
		grep -q '^CONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y' "$$config" || \
		! echo "$$release" | grep -Eq '$(call conf,RT_NEEDS_BH_LOCK)' || \
		die "on the kernel $$release softirqs of a CPU preempt each other, which" \
			"shadowlb's flows do not survive: use one with" \
			"CONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y or without CONFIG_PREEMPT_RT"

# Not a prerequisite: with -j it would not wait for the module.
install: all
	+$(MAKE) modules_install

# Debian's headers have no System.map, without which Kbuild skips depmod.
modules_install: check-kdir
	+$(kbuild) INSTALL_MOD_DIR=updates modules_install
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(KVER)

uninstall: check-kdir tool-uninstall
	rm -f $(addprefix $(INSTALL_MOD_PATH)/lib/modules/$(KVER)/updates/,shadowlb.ko* ip_vs_shadow.ko*)
	rm -f $(DESTDIR)$(BPFDIR)/shadowlb_xdp.o
	rm -f $(DESTDIR)$(MANDIR)/man7/shadowlb.7 $(DESTDIR)$(MANDIR)/man8/shadowlbctl.8
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(KVER)

need-dkms:
	@[ "$$(id -u)" = 0 ] || { echo 'error: this needs root' >&2; exit 1; }
	@command -v dkms >/dev/null || \
		{ echo 'error: no dkms: apt-get install dkms' >&2; exit 1; }

dkms-install: need-dkms check-kdir
	@! [ -e $(DKMS_SRC) ] || \
		{ echo 'error: $(DKMS_SRC) exists: make dkms-remove first' >&2; exit 1; }
	mkdir -p $(DKMS_SRC)
	cp -r $(DKMS_FILES) $(DKMS_SRC)
	+$(MAKE) -C $(DKMS_SRC) KDIR=$(KDIR) clean
	$(if $(ANY_KERNEL),[ -e $(DKMS_ETC) ] || echo '$(DKMS_ANY)' >$(DKMS_ETC))
	dkms add shadowlb/$(VERSION)
	dkms build shadowlb/$(VERSION) -k $(KVER)
	dkms install shadowlb/$(VERSION) -k $(KVER)

dkms-remove: need-dkms
	if dkms status shadowlb/$(VERSION) | grep -q .; then \
		dkms remove shadowlb/$(VERSION) --all; \
	fi
	rm -rf $(DKMS_SRC)
	if ! dkms status shadowlb | grep -q . && \
		[ "$$(cat $(DKMS_ETC) 2>/dev/null)" = '$(DKMS_ANY)' ]; then \
		rm $(DKMS_ETC); \
	fi

# Packages for the Debian that this runs on, from a copy: in deb/
deb:
	@command -v dh_dkms >/dev/null && command -v $(CLANG) >/dev/null || { echo 'error:' \
		'no dh-dkms or clang: apt-get install build-essential dh-dkms dh-python clang libbpf-dev' >&2; exit 1; }
	rm -rf deb
	mkdir -p deb/shadowlb-$(VERSION)
	cp -r $(DKMS_FILES) bpf debian docs tool README.md deb/shadowlb-$(VERSION)
	+$(MAKE) -C deb/shadowlb-$(VERSION) clean
	cd deb/shadowlb-$(VERSION) && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc -b
	rm -r deb/shadowlb-$(VERSION)
	@ls deb/*.deb

test:
	@$(if $(SEED),SLB_SEED='$(SEED)') $(if $(VERIFY),SLB_VERIFY='$(VERIFY)') \
		TESTS='$(TESTS)' KERNELS='$(KERNELS)' ALL='$(ALL)' FRESH='$(FRESH)' V='$(V)' JOBS='$(JOBS)' \
		selftests/$(if $(HERE),here.sh $(TESTS),run)

test-all:
	@$(MAKE) --no-print-directory test ALL=1

kernels:
	@KERNELS='$(KERNELS)' JOBS='$(JOBS)' selftests/kernels.sh

test-fresh:
	@RELEASES='$(RELEASES)' COMMANDS='$(COMMANDS)' selftests/fresh.sh

release:
	@CHECKS='$(CHECKS)' selftests/release.sh

soak:
	@MINUTES='$(MINUTES)' FIRST='$(FIRST)' selftests/soak.sh

pictures:
	@selftests/pictures.sh

coherence:
	@REPEAT='$(REPEAT)' COHERENCE='$(COHERENCE)' COHERENCE_KERNEL='$(COHERENCE_KERNEL)' \
		selftests/coherence.sh

bench:
	@BENCH='$(BENCH)' BENCH_OUT='$(BENCH_OUT)' BENCH_KERNELS='$(BENCH_KERNELS)' \
		BENCH_FLOWS='$(BENCH_FLOWS)' BENCH_BITS='$(BENCH_BITS)' BENCH_TABLE='$(BENCH_TABLE)' \
		WAY='$(WAY)' WHAT='$(WHAT)' selftests/bench.sh

demo:
	@selftests/demo.sh

# Works without kernel headers too: dkms cleans after the kernel is gone.
clean:
	@find . -path ./.git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '.*.cmd' -o -name '*.o.d' -o -name '*.a' \
		-o -name Module.symvers -o -name modules.order -o -name .tmp_versions \
		-o -path ./include/generated \) -exec rm -rf {} +

clean-cache:
	@cd "$${SHADOWLB_CACHE:-$$HOME/.cache/shadowlb}" 2>/dev/null || exit 0; \
	flock -n .use.lock rm -rf --one-file-system roots kernels uml-* debs dkms deb boot ccache logs bench || \
		{ echo 'error: a run uses the cache: wait for its end' >&2; exit 1; }

.PHONY: all bpf bpf-install tool-install tool-uninstall man-install help check-kdir install modules_install uninstall need-dkms dkms-install \
	dkms-remove deb test test-all test-fresh release kernels soak pictures coherence bench demo clean clean-cache
