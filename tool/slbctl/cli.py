# SPDX-License-Identifier: GPL-2.0
"""The command line of shadowlbctl."""
import argparse
import json
import os
import signal
import sys
import time

from . import (VERSION, doctor, flows, knobs, metrics, reload, serve, services, status, top, why,
               words, xdp)
from .trouble import ERROR, OK, Trouble

COMMANDS = {"status": status, "services": services, "flows": flows, "top": top, "why": why,
            **knobs.COMMANDS, "serve": serve, "xdp": xdp, "metrics": metrics, "doctor": doctor,
            "reload": reload}


def parser():
    out = argparse.ArgumentParser(
        prog="shadowlbctl", description="Show and control shadowlb in this network namespace.",
        epilog="Exit code: 0; 1 an error; 2 a wrong command line; 3 why and doctor: no.",
        allow_abbrev=False)
    out.add_argument("--version", action="version", version="shadowlbctl " + VERSION)
    out.add_argument("--netns", metavar="NAME", help="in another network namespace, of ip-netns(8), "
                     "or of a file: /proc/PID/ns/net")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-j", "--json", action="store_true", help="JSON, with stable names")
    common.add_argument("--watch", nargs="?", type=words.pause, const=2, metavar="SECONDS",
                        help="again and again; default each 2 s")
    commands = out.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        command.arguments(commands.add_parser(name, parents=[common], help=command.HELP,
                                              description=command.HELP, allow_abbrev=False))
    return out


def enter_netns(name, argv, args):
    """Continue in another network namespace. /sys/fs/bpf stays, where libxdp has its programs."""
    path = name if "/" in name else "/run/netns/" + name
    if not name or not os.path.exists(path):
        if args.command == "metrics" and args.output:
            metrics.remove(args.output)
        raise Trouble("'%s': no such network namespace: ip netns list" % name)
    if os.geteuid():
        raise Trouble("no permission to enter a network namespace: run this as root")
    at = argv.index("--netns") if "--netns" in argv else -1
    rest = argv[:at] + argv[at + 2:] if at >= 0 else \
        [word for word in argv if not word.startswith("--netns=")]
    sys.stdout.flush()
    os.environ[metrics.NETNS] = name
    os.execvp("nsenter", ["nsenter", "--net=" + path, "--", sys.executable, sys.argv[0], *rest])


def once(command, args):
    clear = "\033[H\033[2J" if args.watch is not None and sys.stdout.isatty() else ""
    sys.stdout.write(clear)
    if hasattr(command, "stream"):
        sys.stdout.writelines(command.stream(args))
        sys.stdout.flush()
        return OK
    data = command.collect(args)
    lines = [json.dumps(data)] if args.json else command.text(data, args)
    sys.stdout.writelines(line + "\n" for line in lines)
    sys.stdout.flush()
    return command.code(data) if hasattr(command, "code") else OK


def complete(known):
    """Answer the shell if it asks for completions, and end. argcomplete is optional."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete      # pylint: disable=import-outside-toplevel
        argcomplete.autocomplete(known)


def run(argv):
    known = parser()
    complete(known)
    args = known.parse_args(argv)
    if args.netns is not None:
        enter_netns(args.netns, argv, args)
    command = COMMANDS[args.command]
    waits = getattr(command, "WATCH", False)
    if args.watch is None and waits and sys.stdout.isatty() and not args.json:
        args.watch = max(args.interval, words.PAUSE)
    if args.watch is None:
        return once(command, args)
    if hasattr(command, "sets") and command.sets(args):
        raise Trouble("--watch looks again and again: not with a command that changes something")
    if waits:
        args.interval = args.watch
    while True:
        once(command, args)
        time.sleep(0 if waits else args.watch)


def main(argv):
    # su keeps a user's path
    os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    if sys.stdout is None:          # closed by the caller
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    for file in (sys.stdout, sys.stderr):
        if file:                    # names may have any characters
            file.reconfigure(errors="backslashreplace")
    try:
        return run(argv)
    except Trouble as trouble:
        print("shadowlbctl: %s" % trouble, file=sys.stderr)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # the reader has enough; nothing must be flushed at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    except OSError as error:
        print("shadowlbctl: %s" % error, file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return ERROR
