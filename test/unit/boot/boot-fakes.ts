/**
 * Boot loaders' tools that are none: small shell scripts that keep their state in a file beside them. The file `mode`
 * says how they misbehave: `deaf` claims to have written, `fail` and `hang` do what they say, `garbage` answers
 * nonsense, `torn` dies in the middle of its write.
 */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Mode = 'well' | 'deaf' | 'fail' | 'hang' | 'garbage' | 'torn';

/** Every script begins with this: it knows its folder and its mode. */
const HEAD = `#!/bin/sh
here=\${0%/*}
state=$here/state
mode=$(cat "$here/mode")
case $mode in
  fail) echo "some progress"; echo "Cannot access MTD device /dev/mtd1: No such device" >&2; exit 1 ;;
  hang) sleep 30; exit 0 ;;
  garbage) printf '\\001\\377 ??? \\n'; exit 0 ;;
esac
# put NAME VALUE: into the state, which is never half-written.
put() {
  { grep -v "^$1=" "$state"; echo "$1=$2"; } >"$state.put"
  mv "$state.put" "$state"
}
get() { sed -n "s/^$1=//p" "$state"; }
`;

export const FW_PRINTENV = `${HEAD}
[ $# = 0 ] && exec cat "$state"
for name; do echo "$name=$(get "$name")"; done
`;

/** Like libubootenv's: several variables are one write, and lines without an equals sign are skipped in silence. */
export const FW_SETENV = `${HEAD}
[ "$mode" = deaf ] && exit 0
if [ "$1" = -s ]; then
  cat >"$here/script"
else
  echo "$1=$2" >"$here/script"
fi
[ "$mode" = torn ] && kill -9 $$
cp "$state" "$state.new"
while IFS= read -r line; do
  case $line in *=*) ;; *) continue ;; esac
  { grep -v "^\${line%%=*}=" "$state.new"; echo "$line"; } >"$state.put"
  mv "$state.put" "$state.new"
done <"$here/script"
mv "$state.new" "$state"
`;

/** Like GRUB's: the file is emptied before it is written. */
export const GRUB_EDITENV = `${HEAD}
block=$1
verb=$2
shift 2
case $verb in
  list) exec cat "$block" ;;
  set)
    [ "$mode" = deaf ] && exit 0
    old=$(cat "$block")
    : >"$block"
    [ "$mode" = torn ] && kill -9 $$
    for pair; do
      old=$(echo "$old" | grep -v "^\${pair%%=*}="; echo "$pair")
    done
    echo "$old" >"$block" ;;
  *) exit 64 ;;
esac
`;

/** The state is what the real one prints; entries are lines of their own. */
export const EFIBOOTMGR = `${HEAD}
line() { grep -v "^$1: " "$state" >"$state.put"; [ -n "$2" ] && echo "$1: $2" >>"$state.put"; mv "$state.put" "$state"; }
[ $# = 0 ] && exec cat "$state"
[ "$mode" = deaf ] && exit 0
[ "$1" = --quiet ] && shift
[ "$mode" = torn ] && kill -9 $$
case $1 in
  --bootnext) line BootNext "$2" ;;
  --delete-bootnext) grep -q '^BootNext: ' "$state" || exit 15; line BootNext '' ;;
  --bootorder) line BootOrder "$2" ;;
  --bootnum) [ "$3" = --active ] || exit 1; sed -i "s/^Boot$2 /Boot$2*/" "$state" ;;
  *) exit 1 ;;
esac
`;

/** A board's own hook: ORDER, and for each slot tries of which a boot uses one up. */
export const HOOK = `${HEAD}
case $1 in
  get-current) get CURRENT; exit 0 ;;
  get-primary)
    for slot in $(get ORDER); do [ "$(get "LEFT_$slot")" -gt 0 ] && echo "$slot" && exit 0; done
    get ORDER | cut -d' ' -f1; exit 0 ;;
  get-state) if [ "$(get "LEFT_$2")" -gt 0 ]; then echo good; else echo bad; fi; exit 0 ;;
  get-tries) get "LEFT_$2"; exit 0 ;;
esac
[ "$mode" = deaf ] && exit 0
[ "$mode" = torn ] && kill -9 $$
others=$(get ORDER | tr ' ' '\\n' | grep -vx "$2" | tr '\\n' ' ')
case "$1 $3" in
  'set-primary ') put "LEFT_$2" 2; put ORDER "$2 \${others% }" ;;
  'set-state good') put "LEFT_$2" 2 ;;
  'set-state bad') put "LEFT_$2" 0; put ORDER "\${others% }" ;;
  *) echo "usage: set-primary SLOT | set-state SLOT good|bad" >&2; exit 64 ;;
esac
`;

export function installTool(folder: string, name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return path;
}
