# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Debian's packages by apt's own solver, in a private apt world: own sources, lists and
# an empty dpkg status. Nothing is installed. Sourced, after host.sh.
#
#   SHADOWLB_MIRROR=URI   Debian mirror (default: the one of this machine's apt sources)
#   SHADOWLB_SOURCES=DIR  DIR/RELEASE.list are the apt sources, whatever the mirror

SLB_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Copy "LABEL URI" lines; in place of a list of mirrors in a file, its first mirror, and
# without URIs that mean something on this machine alone.
slb_mirror_lists() {
	local label uri

	while read -r label uri; do
		case $uri in
		mirror+file:*)
			uri=$(grep -m 1 -o '^https\?://[^[:space:]]*' "${uri#mirror+file:}") || continue ;;
		http://* | https://*) ;;
		*) continue ;;
		esac
		printf '%s %s\n' "$label" "$uri"
	done
}

# Print "ARCHIVE SECURITY": the URIs of the Debian mirror. apt tells Debian's archive
# from others by the Release files that it has fetched, whatever the format of the sources.
# The root (root.sh) has a note of the mirror that it was made from.
slb_mirrors() {
	local list=''

	if [ -n "${SHADOWLB_MIRROR:-}" ]; then
		printf '%s %s-security\n' "${SHADOWLB_MIRROR%/}" "${SHADOWLB_MIRROR%/}"
		return
	fi
	if [ -n "${SLB_INSIDE:-}" ] && [ -e /var/lib/shadowlb/mirrors ]; then
		cat /var/lib/shadowlb/mirrors
		return
	fi
	if command -v apt-get >/dev/null; then
		list=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages')
		if ! grep -q '^Debian ' <<<"$list"; then
			slb_msg "updating this machine's package lists, to learn its mirror"
			apt-get -q update >/dev/null || :
			list=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' \
				'Created-By: Packages')
		fi
	fi
	slb_mirror_lists <<<"$list" | awk '$1 == "Debian" && !a { a = $2 }
	     $1 == "Debian-Security" && !s { s = $2 }
	     END { if (!a) exit 1; sub("/$", "", a); print a, s ? s : a "-security" }' ||
		slb_die "this machine's apt sources name no Debian mirror that answers:" \
			"set SHADOWLB_MIRROR to the URI of one, or check the network"
}

# slb_sources RELEASE: print the apt sources of a Debian release, backports included.
slb_sources() {
	local mirrors suite

	if [ -n "${SHADOWLB_SOURCES:-}" ]; then
		cat "$SHADOWLB_SOURCES/$1.list" ||
			slb_die "SHADOWLB_SOURCES names a directory without $1.list"
		return
	fi
	mirrors=$(slb_mirrors) || return 1
	for suite in "$1" "$1-updates" "$1-backports"; do
		printf 'deb [signed-by=%s] %s %s main\n' $SLB_KEYRING "${mirrors% *}" "$suite"
	done
	printf 'deb [signed-by=%s] %s %s-security main\n' $SLB_KEYRING "${mirrors#* }" "$1"
}

# Proxies that this machine's apt uses, as apt's options.
slb_apt_proxies() {
	! command -v apt-config >/dev/null ||
		apt-config dump | grep -E '^Acquire::[a-z]+::Proxy ' || :
}

# slb_apt DIR COMMAND...: apt-get or apt-cache with DIR as its world.
slb_apt() {
	local dir=$1 cmd=$2

	shift 2
	"$cmd" -q -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State="$dir/state" -o Dir::State::status=/dev/null -o Dir::Cache="$dir/cache" \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Sandbox::User= \
		-o APT::Default-Release= -o APT::Install-Recommends=false "$@"
}

# slb_apt_init DIR RELEASE: make DIR an apt world of that release; fetch its lists.
slb_apt_init() {
	[ ! -e "$1/ready" ] || return 0
	mkdir -p "$1"/{state/lists/partial,cache/archives/partial}
	slb_sources "$2" >"$1/sources.list" || return 1
	slb_msg "fetching the package lists of $2"
	slb_apt "$1" apt-get -o APT::Update::Error-Mode=any update >"$1/update.log" 2>&1 || {
		slb_show_errors "$1/update.log"
		slb_die "cannot fetch the package lists of $2: no network, or the mirror lacks them"
	}
	touch "$1/ready"
}

# slb_apt_download DIR OUT PACKAGE...: download packages, as name or name=version, to OUT.
slb_apt_download() (
	dir=$1
	mkdir -p "$2"
	cd "$2" || exit 1
	shift 2
	slb_apt "$dir" apt-get download "$@" >"$dir/download.log" 2>&1 || {
		slb_show_errors "$dir/download.log"
		slb_die "cannot download $*: no network, no space, or the mirror lacks them"
	}
)

# slb_apt_solve DIR OUT PATTERN TARGET PACKAGE...: let apt solve the installation of the
# packages, from the suite TARGET if that is not empty, and download to OUT the packages
# of its solution whose names match PATTERN, an extended regular expression.
slb_apt_solve() {
	local dir=$1 out=$2 pattern=$3 target=$4 picks log=$1/solve.log

	shift 4
	if ! slb_apt "$dir" apt-get -s ${target:+-t "$target"} install "$@" >"$log" 2>&1; then
		slb_show_errors "$log"
		slb_die "the mirror has no installable $*${target:+ in $target}"
	fi
	picks=$(awk -v p="^($pattern)$" '$1 == "Inst" && $2 ~ p { print $2 "=" substr($3, 2) }' "$log")
	# shellcheck disable=SC2086
	slb_apt_download "$dir" "$out" $picks
}
