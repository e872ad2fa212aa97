/**
 * Cpio archives with headers in hexadecimal digits, which initramfs images are: "newc", without and with checksums.
 *
 * Regular files stand as they are. What was read up to a damaged header is taken, as with tar.
 * @module
 */
import { LIMITS } from '../../../limits.ts';
import type { Fields } from '../fields.ts';
import { charCodes, isText, readDigits } from './digits.ts';
import { archiveFinder, type Archive, type Member } from './members.ts';

const MAGIC = '07070';
/** The digit behind it: newc, newc with checksums. */
const VERSIONS = [0x31, 0x32];
const HEADER_BYTES = 110;
const FIELD_BYTES = 8;
const FIELDS = 13;
/** Fields by number. */
const MODE = 1;
const FILE_BYTES = 6;
const NAME_BYTES = 11;
const TYPE_MASK = 0o170000;
const TYPE_FILE = 0o100000;
/** The longest path that Linux takes, with its zero. */
const NAME_BYTES_MAX = 4096;
const TRAILER = 'TRAILER!!!';

export const cpio = archiveFinder({ kind: 'cpio', signature: { at: 0, bytes: charCodes(MAGIC) } }, readArchive);

function readArchive(fields: Fields): Archive | null {
  const members: Member[] = [];
  let at = 0;
  for (let files = 0; files < LIMITS.container_files_max; files++) {
    const header = readHeader(fields, at);
    if (header === null) break;
    const { data, bytes, isFile, isTrailer } = header;
    if (isFile) members.push({ offset: data, bytes, packed: null });
    // The padding of the last one may be cut off.
    at = Math.min(padded(data + bytes), fields.length);
    if (isTrailer) break;
  }
  return at === 0 ? null : { bytes: at, members };
}

interface Header {
  readonly data: number;
  readonly bytes: number;
  readonly isFile: boolean;
  readonly isTrailer: boolean;
}

/** What the header at `at` says; null where there is none, or not all of its data. */
function readHeader({ bytes, length }: Fields, at: number): Header | null {
  if (at + HEADER_BYTES > length || !isText(bytes, at, MAGIC) || !VERSIONS.includes(bytes[at + MAGIC.length]!))
    return null;
  const numbers = Array.from({ length: FIELDS }, (_, i) => {
    const from = at + MAGIC.length + 1 + i * FIELD_BYTES;
    return readDigits(bytes, from, from + FIELD_BYTES, 16);
  });
  const [mode, fileBytes, nameBytes] = [numbers[MODE]!, numbers[FILE_BYTES]!, numbers[NAME_BYTES]!];
  const data = padded(at + HEADER_BYTES + nameBytes);
  if (numbers.includes(-1) || nameBytes === 0 || nameBytes > NAME_BYTES_MAX || data + fileBytes > length) return null;
  return {
    ...{ data, bytes: fileBytes, isFile: (mode & TYPE_MASK) === TYPE_FILE },
    isTrailer: nameBytes === TRAILER.length + 1 && isText(bytes, at + HEADER_BYTES, TRAILER),
  };
}

const padded = (position: number): number => Math.ceil(position / 4) * 4;
