# shellcheck shell=sh
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# What an administrator writes with CLI for Microsoft 365: three of the four steps, one user after the other. It knows nothing of
# mailbox protocols. Password and sign-in fit into one command, and so into one request.
#
#     cli_m365.sh M365 LEAVERS

set -eu
m365=$1 leavers=$2

"$m365" login --authType secret --appId "$AZURE_CLIENT_ID" --tenant "$AZURE_TENANT_ID" --secret "$AZURE_CLIENT_SECRET" \
  --output none
while read -r name; do
  password="Aa1!$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
  "$m365" entra user set --userName "$name" --accountEnabled false \
    --resetPassword --newPassword "$password" --forceChangePasswordNextSignIn --output none </dev/null
  "$m365" entra user session revoke --userName "$name" --force --output none </dev/null
done <"$leavers"
