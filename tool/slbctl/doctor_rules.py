# SPDX-License-Identifier: GPL-2.0
"""Findings about firewall rules, and queueing disciplines, that served packets bypass.

The module marks chains whose rules look at single packets. This names the rules.
"""
import shlex
import shutil

from . import devices
from .finding import bad, note, ok

FAMILIES = {"ipv4": ("ip", "inet"), "ipv6": ("ip6", "inet"), "bridge": ("bridge",),
            "netdev": ("netdev", "inet")}

# Programs that show rules of iptables-nft, by the family of their tables.
IPTABLES = {"ip": "iptables-nft-save", "ip6": "ip6tables-nft-save"}

# Statements and expressions of "nft -j" about single packets, whatever they contain.
ALWAYS = {"limit", "quota", "numgen", "queue", "tcp option", "sctp chunk"}
META = {"length", "random", "time", "day", "hour"}
CT = {"expiration", "packets", "bytes", "avgpkt"}
# Fields in a flow's key, or the same for all packets of a flow. Others differ between packets.
SAME = {"ip": {"saddr", "daddr", "protocol", "version", "hdrlength", "dscp", "ecn"},
        "ip6": {"saddr", "daddr", "nexthdr", "version", "dscp", "ecn"},
        "tcp": {"sport", "dport"}, "udp": {"sport", "dport"}, "sctp": {"sport", "dport"},
        "th": {"sport", "dport"}, "vlan": {"id", "type"}}
# Flows serve no packets of these protocols, with these TCP flags, in these states of conntrack.
OTHERS = {"icmp", "icmpv6", "ipv6-icmp", "arp", "igmp", "esp", "ah"}
BEGINS = {"syn", "fin", "rst"}
SERVED_STATES = {"established", "untracked"}

# Matches and targets of iptables about single packets.
MATCHES = {"mac", "eui64", "length", "ttl", "hl", "ecn", "string", "u32", "bpf", "limit",
           "hashlimit", "recent", "quota", "connbytes", "rateest", "statistic", "time", "NFQUEUE"}
# Tables of iptables but nat.
TABLES = (b"filter", b"mangle", b"raw", b"security")
# Queueing disciplines that neither shape nor classify.
PLAIN = {"noqueue", "mq", "fq_codel", "fq", "pfifo_fast", "pfifo", "noop"}
NAMED = 20


def walk(node):
    """All pairs of key and value in an expression of "nft -j"."""
    if isinstance(node, list):
        for child in node:
            yield from walk(child)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from walk(value)


def looks(key, value):
    """Is this about single packets?"""
    if key in ALWAYS:
        return True
    if not isinstance(value, dict):
        return False
    return (key == "meta" and value.get("key") in META or
            key == "ct" and value.get("key") in CT or
            key == "xt" and value.get("name") in MATCHES or
            key == "payload" and value.get("field") not in SAME.get(value.get("protocol"), ()))


def texts(node):
    """All texts in the right side of a comparison."""
    if isinstance(node, str):
        return {node}
    if isinstance(node, dict):
        node = list(node.values())
    return set().union(*map(texts, node)) if isinstance(node, list) else set()


def meets_no_flow(match):
    """Does this comparison hold only for packets that have no flows?"""
    if match.get("op") == "!=":
        return False
    left = dict(walk(match.get("left")))
    right = texts(match.get("right"))
    payload = left["payload"] if isinstance(left.get("payload"), dict) else {}
    if payload.get("protocol") in OTHERS or right and right <= OTHERS:
        return True
    if payload.get("field") == "flags":
        return bool(right & BEGINS)
    state = isinstance(left.get("ct"), dict) and left["ct"].get("key") == "state"
    return state and not right & SERVED_STATES


def looks_at_packets(expressions):
    """Does a rule look at properties that differ between packets of a flow?"""
    if any(meets_no_flow(e["match"]) for e in expressions if "match" in e):
        return False
    # a key that a statement sets is no match
    return any(looks(*pair) for e in expressions for pair in
               walk({k: v.get("value") if k == "mangle" else v for k, v in e.items()}))


def nft_rules(ruleset, hook, unread):
    """Rules that look at single packets in a chain, and in chains that it may jump to.

    Names are compared as the module writes them: TABLE/CHAIN. Rules of a nat chain see the first
    packet of a connection alone, with flows and without. unread: gets programs that failed.
    """
    chains = [entry["chain"] for entry in ruleset if "chain" in entry]
    base = [c for c in chains if c["family"] in FAMILIES[hook.family] and c.get("type") != "nat" and
            "%s/%s" % (c["table"], c["name"]) == hook.chain]
    tables = {(c["family"], c["table"]) for c in base}
    reached = {(c["family"], c["table"], c["name"]) for c in chains
               if c in base or (c["family"], c["table"]) in tables and "hook" not in c}
    rules = [entry["rule"] for entry in ruleset if "rule" in entry and
             tuple(entry["rule"][key] for key in ("family", "table", "chain")) in reached]
    for family, table in tables:
        mine = [rule for rule in rules if (rule["family"], rule["table"]) == (family, table)]
        if family in IPTABLES and any(key == "xt" for rule in mine
                                      for key, _ in walk(rule["expr"])):
            # of iptables-nft, whose matches nft names, and cannot describe
            found = iptables_rules(IPTABLES[family], True, table)
            if found is not None:
                yield from found
                continue
            unread.add(IPTABLES[family])
        for rule in mine:
            if looks_at_packets(rule["expr"]):
                yield "%(family)s %(table)s %(chain)s handle %(handle)d" % rule


def positive(words, *options):
    """Values of these options of an iptables rule, without those behind "!"."""
    return [words[at + 1] for at in range(len(words) - 1)
            if words[at] in options and (at == 0 or words[at - 1] != "!")]


def iptables_looks(words):
    """Does a rule of iptables-save look at properties that differ between packets of a flow?"""
    flags = [words[at + 2] for at in range(len(words) - 2)
             if words[at] == "--tcp-flags" and words[at - 1] != "!"]
    states = [set(v.lower().split(",")) for v in positive(words, "--ctstate", "--state")]
    if OTHERS & set(positive(words, "-p")) or \
            any(BEGINS & set(v.lower().split(",")) for v in flags) or \
            any(not state & SERVED_STATES for state in states):
        return False
    used = {after for word, after in zip(words, words[1:]) if word in ("-m", "-j")}
    return bool(used & MATCHES) or "--tcp-flags" in words


def iptables_rules(program, raw, only=None):
    """Rules of iptables that look at single packets. None if the program does not show all rules.

    raw: those of raw, too. only: a table.
    """
    table, found = None, []
    shown = devices.run(program)
    if shown is None or any(b"# Table `%s' is incompatible" % name in shown for name in
                            ([only.encode()] if only else TABLES)):
        return None
    for line in shown.decode(errors="replace").splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("-A") and table != "nat" and (raw or table != "raw") and \
                only in (None, table):
            try:
                words = shlex.split(line)
            except ValueError:
                words = line.split()
            if iptables_looks(words):
                found.append("%s -t %s %s" % (program.removesuffix("-save"), table, line))
    return found


def named_rules(hooks, xdp):
    """Rules behind these hooks that look at single packets, and programs that could not tell."""
    known = devices.run_json("nft", "-j", "-a", "list", "ruleset")
    named, unread = set(), set()
    for hook in hooks:
        program = None
        if hook.chain and known is None:
            unread.add("nft")
        elif hook.chain:
            named.update(nft_rules(known.get("nftables", []), hook, unread))
        elif hook.function.startswith(("ipt_do_table", "iptable_")):
            program = "iptables-legacy-save"
        elif hook.function.startswith(("ip6t_do_table", "ip6table_")):
            program = "ip6tables-legacy-save"
        if program:
            found = iptables_rules(program, xdp)
            named.update(found or ())
            unread.update([program] if found is None else [])
    return sorted(named), sorted(unread)


def reading_cure(program):
    if shutil.which(program):
        return "read these chains yourself; %s does not show all of their rules" % program
    return "apt-get install %s, and look again" % ("nftables" if program == "nft" else "iptables")


def place(hook):
    return "%s %s %s%s" % (hook.family, hook.place, hook.chain or hook.function,
                           " (%s)" % ", ".join(hook.per_packet) if hook.per_packet else "")


def joined(texts):
    texts = sorted(set(texts))
    more = ["and %d more" % (len(texts) - NAMED)] if len(texts) > NAMED else []
    return "; ".join(texts[:NAMED] + more)


def marked_findings(hooks, xdp):
    """Findings about chains whose rules look at single packets."""
    marked = [hook for hook in hooks if hook.per_packet]
    named, unread = named_rules(marked, xdp)
    where = joined(map(place, marked))
    if named:
        yield bad("rules", "served packets bypass rules that look at single packets: %s" %
                  joined(named),
                  ("detach XDP, and put" if xdp else "put") + " rules for IPVS's packets into raw of "
                  "PRE_ROUTING or netdev ingress; or leave these services to IPVS: scope 1")
    if unread:
        yield bad("rules", "%s cannot tell which rules look at single packets, which served packets "
                  "bypass: %s" % (" and ".join(unread), where), "; ".join(map(reading_cure, unread)))
    elif marked and not named:
        yield note("rules", "no rule found that looks at single packets of flows, in chains that "
                   "the module marks or cannot read: %s" % where)
    elif not named:
        yield ok("rules", "no rule behind raw looks at single packets")


def findings(state, xdp):
    """Findings about hooks that served packets skip. xdp: a device has shadowlb's program."""
    yield from marked_findings(state.hooks + (state.xdp_hooks if xdp else []), xdp)
    if not xdp:
        return
    bypassed = [hook for hook in state.xdp_hooks if hook.chain or hook.per_packet or
                hook.family == "qdisc" and hook.function not in PLAIN]
    if bypassed:
        yield note("xdp rules", "frames that XDP serves bypass all of %s" %
                   joined("%s %s" % (place(hook), "dev " + hook.dev if hook.dev else "")
                          for hook in bypassed),
                   "if they are for IPVS's packets: shadowlbctl xdp detach")
