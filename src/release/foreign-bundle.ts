/**
 * Recognises bundles that other update clients unpack themselves. Such a file is no image of a slot: a delta to it
 * would cost hours and serve nobody, so `publish` keeps it as it is and makes no payloads unless asked.
 *
 * SWUpdate: a cpio archive (magic 070701 or 070702) whose first member is `sw-description`. RAUC: a squashfs, followed by
 * a CMS signature and the size of that signature as 8 big-endian bytes; an encrypted bundle shows only in its name.
 * @module
 */
export type ForeignBundle = 'SWUpdate' | 'RAUC';

const CPIO_NAME_OFFSET = 110;
const CMS_BYTES_MAX = 1 << 20;

/** What kind of bundle the file is; null for a plain image. */
export function foreignBundleOf(image: Uint8Array, filename: string): ForeignBundle | null {
  const text = (offset: number, length: number): string =>
    Buffer.from(image.subarray(offset, offset + length)).toString('latin1');
  const cpio = text(0, 6);
  if ((cpio === '070701' || cpio === '070702') && text(CPIO_NAME_OFFSET, 15) === 'sw-description\0') return 'SWUpdate';
  if (filename.endsWith('.raucb')) return 'RAUC';
  if (text(0, 4) !== 'hsqs' || image.length < 16) return null;
  const tail = new DataView(image.buffer, image.byteOffset + image.length - 8, 8);
  const cmsBytes = tail.getUint32(0) === 0 ? tail.getUint32(4) : 0;
  if (cmsBytes === 0 || cmsBytes > CMS_BYTES_MAX || cmsBytes + 8 > image.length) return null;
  // A DER sequence with a length of two or three bytes: the outermost of a CMS.
  const at = image.length - 8 - cmsBytes;
  return image[at] === 0x30 && (image[at + 1] === 0x82 || image[at + 1] === 0x83) ? 'RAUC' : null;
}
