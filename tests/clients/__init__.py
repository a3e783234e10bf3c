# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Microsoft's own clients, used on the simulator: what they do and read there, the collection must do and read too."""
