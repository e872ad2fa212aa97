/**
 * What the environment of the emulated board holds: the boot script of docs/boot-control.md, to the letter, and what
 * only this board has.
 * @module
 */

/** Chooses a slot and saves the try as used; a unit test holds it against the document. */
export const DOCUMENTED_SCRIPT: Readonly<Record<string, string>> = {
  engraft_left:
    'if test "${s}" = A; then setenv left "${BOOT_A_LEFT}"; else setenv left "${BOOT_B_LEFT}"; fi; if test -z "${left}"; then setenv left 0; fi',
  engraft_rescue: 'for s in ${BOOT_ORDER}; do setenv BOOT_${s}_LEFT 3; done; saveenv; reset',
  engraft_choose:
    'setenv slot; if test -z "${BOOT_ORDER}"; then setenv BOOT_ORDER A; setenv BOOT_A_LEFT 3; fi; for s in ${BOOT_ORDER}; do if test -z "${slot}"; then run engraft_left; if test ${left} -gt 0; then setenv slot ${s}; setexpr left ${left} - 1; setenv BOOT_${s}_LEFT ${left}; fi; fi; done; if test -z "${slot}"; then run engraft_rescue; fi; saveenv || reset',
  bootcmd: 'run engraft_choose; run engraft_boot',
  altbootcmd:
    'setenv first; for s in ${BOOT_ORDER}; do if test -z "${first}"; then setenv first ${s}; fi; done; setenv BOOT_${first}_LEFT 0; setenv upgrade_available 0; setenv bootcount 0; saveenv; run bootcmd',
};

/** Kernel and initramfs come from the slot on the virtio disk. The line that begins with @ is for the scenarios. */
const BOOT_SLOT = [
  'echo "@boot slot ${slot}, ${left} tries left after this one, order ${BOOT_ORDER}, bootcount ${bootcount}"',
  'if test "${slot}" = A; then setenv part 1; else setenv part 2; fi',
  'virtio scan',
  'setenv bootargs console=ttyAMA0 quiet panic=3 engraft.slot=${slot}',
  'ext4load virtio 0:${part} ${kernel_addr_r} /boot/vmlinuz || reset',
  'ext4load virtio 0:${part} ${ramdisk_addr_r} /boot/initramfs || reset',
  'booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}',
  'reset',
].join('; ');

/** Slot A is good, slot B is empty. The board's memory begins at 0x40000000. */
export const FACTORY_ENVIRONMENT: Readonly<Record<string, string>> = {
  ...DOCUMENTED_SCRIPT,
  engraft_boot: BOOT_SLOT,
  bootdelay: '0',
  // More than the tries of a slot, so that the script's count comes first.
  bootlimit: '5',
  upgrade_available: '0',
  bootcount: '0',
  kernel_addr_r: '0x44000000',
  ramdisk_addr_r: '0x50000000',
  fdt_high: '0xffffffffffffffff',
  initrd_high: '0xffffffffffffffff',
  BOOT_ORDER: 'A',
  BOOT_A_LEFT: '3',
  BOOT_B_LEFT: '0',
};
