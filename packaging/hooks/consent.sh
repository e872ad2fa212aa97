#!/bin/sh
# before_arm or before_reboot: wait until somebody has agreed to this very version.
#
#   before_arm = [["/usr/lib/engraft/hooks/consent.sh", "/data/consent"]]
#
# The user interface reads the question in FOLDER/question ("VERSION\n"), and answers by writing the same version into
# FOLDER/answer. An answer for another version is none.
set -u
folder=${1:?"usage: consent.sh FOLDER"}
version=${ENGRAFT_VERSION:?"ENGRAFT_VERSION is not set"}
if [ "$(cat "$folder/answer" 2>/dev/null)" = "$version" ]; then
    rm -f "$folder/question"
    exit 0
fi
if [ "$(cat "$folder/question" 2>/dev/null)" != "$version" ]; then
    mkdir -p "$folder"
    # Whole or not at all, for whoever reads it meanwhile.
    printf '%s\n' "$version" >"$folder/question.new" && mv "$folder/question.new" "$folder/question"
fi
echo "nobody has agreed to version $version yet"
exit 75
