#!/bin/sh
# before_download: wait for a link that is not metered, unless the payload is small.
#
#   before_download = [["/usr/lib/engraft/hooks/metered.sh", "2000000"]]   # bytes that are always allowed; 0 by default
#
# Asks NetworkManager about every active device. Without NetworkManager nobody knows, and the download goes on: set a
# budget ([limits]) there.
set -u
free=${1:-0}
[ "${ENGRAFT_PAYLOAD_BYTES:-0}" -gt "$free" ] || exit 0
command -v nmcli >/dev/null 2>&1 || exit 0
devices=$(nmcli -g DEVICE,STATE device 2>/dev/null) || exit 0
metered=
IFS='
'
for line in $devices; do
    case $line in
    *:connected) device=${line%:connected} ;;
    *) continue ;;
    esac
    case $(nmcli -g GENERAL.METERED device show "$device" 2>/dev/null) in
    yes*) metered=$device ;;
    no*) exit 0 ;;
    esac
done
[ -n "$metered" ] || exit 0
echo "the link $metered is metered, and the payload has $ENGRAFT_PAYLOAD_BYTES bytes"
exit 75
