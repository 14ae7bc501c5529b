# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl: a file for each command, proc.py for the files of the kernel."""
VERSION = "0.1.0"        # of dkms.conf; make tool-install writes it
