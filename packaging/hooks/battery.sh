#!/bin/sh
# before_download, before_arm, before_reboot: wait until the battery is full enough, or a charger is connected.
#
#   before_arm = [["/usr/lib/engraft/hooks/battery.sh", "40"]]      # percent; 30 by default
#
# ENGRAFT_POWER_SUPPLY replaces /sys/class/power_supply in tests. A device without a battery always goes on.
set -u
least=${1:-30}
folder=${ENGRAFT_POWER_SUPPLY:-/sys/class/power_supply}
lowest=
for supply in "$folder"/*; do
    [ -r "$supply/type" ] || continue
    case $(cat "$supply/type") in
    Mains | USB | Wireless)
        if [ "$(cat "$supply/online" 2>/dev/null || echo 0)" = 1 ]; then
            exit 0
        fi
        ;;
    Battery)
        # Batteries of a mouse or a keyboard are no concern of ours.
        [ "$(cat "$supply/scope" 2>/dev/null)" != Device ] || continue
        level=$(cat "$supply/capacity" 2>/dev/null) || continue
        if [ -z "$lowest" ] || [ "$level" -lt "$lowest" ]; then
            lowest=$level
        fi
        ;;
    esac
done
[ -n "$lowest" ] || exit 0
[ "$lowest" -lt "$least" ] || exit 0
echo "the battery is at $lowest %, less than $least %"
exit 75
