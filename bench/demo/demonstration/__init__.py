# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of the demonstration: what runs, what is measured, how it is shown."""
