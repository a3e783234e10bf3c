# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A laboratory for modules: real code above the socket, scripted answers below it, and time that only passes in naps."""
