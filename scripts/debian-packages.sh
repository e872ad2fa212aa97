#!/usr/bin/env bash
# Installs the Debian packages that some tests and benchmarks use: peers to compare with and to be compatible with.
# Never fails: whoever needs one of them looks for it and says that it is missing.
set -uo pipefail
wanted=(
  bsdiff                                # a peer and its patches
  libubootenv-tool grub-common          # boot control: the real tools
  softhsm2 swtpm swtpm-tools tpm2-tools # keystores: software tokens
  nginx-light tinyproxy                 # an independent server of ranges, a proxy
  age                                   # encrypted packages, opened by a program that is not ours
  libengine-pkcs11-openssl              # a TLS key in a token
  swupdate openssl                      # an update client that is not ours
  postgresql                            # the database of many servers
  squashfs-tools erofs-utils mtd-utils  # images of file systems and of flash by their own tools
  e2fsprogs iproute2 python3            # loop devices, namespaces, a link emulator
)

missing=()
for package in "${wanted[@]}"; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "debian packages: all there (${wanted[*]})"
elif [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
  echo "debian packages: going on without ${missing[*]} (not root, or no apt-get)"
elif { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1; then
  echo "debian packages: installed ${missing[*]}"
else
  echo "debian packages: going on without ${missing[*]} (apt-get failed)"
fi
exit 0
