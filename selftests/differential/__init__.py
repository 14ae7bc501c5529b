# SPDX-License-Identifier: GPL-2.0
"""The differential test: two directors, one trace, one result."""
