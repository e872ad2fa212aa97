/**
 * Ar archives: Debian's packages, and libraries of object files. Members stand as they are.
 *
 * What was read up to a damaged header is taken, as with tar.
 * @module
 */
import { LIMITS } from '../../../limits.ts';
import type { Fields } from '../fields.ts';
import { charCodes, isText, readDigits } from './digits.ts';
import { archiveFinder, type Archive, type Member } from './members.ts';

const MAGIC = '!<arch>\n';
const HEADER_BYTES = 60;
const HEADER_END = '`\n';
const SIZE_AT = 48;
/** BSD: the name has as many bytes as this says, and is the first of the data. */
const NAME_BEHIND = '#1/';

export const ar = archiveFinder({ kind: 'ar', signature: { at: 0, bytes: charCodes(MAGIC) } }, readArchive);

function readArchive(fields: Fields): Archive | null {
  const { bytes, length } = fields;
  if (!isText(bytes, 0, MAGIC)) return null;
  const members: Member[] = [];
  let at = MAGIC.length;
  while (members.length < LIMITS.container_files_max) {
    if (at + HEADER_BYTES > length || !isText(bytes, at + HEADER_BYTES - HEADER_END.length, HEADER_END)) break;
    const size = readDigits(bytes, at + SIZE_AT, at + HEADER_BYTES - HEADER_END.length, 10);
    const nameBytes = isText(bytes, at, NAME_BEHIND) ? readDigits(bytes, at + NAME_BEHIND.length, at + 16, 10) : 0;
    const end = at + HEADER_BYTES + size;
    if (size < 0 || nameBytes < 0 || nameBytes > size || end > length) break;
    members.push({ offset: end - size + nameBytes, bytes: size - nameBytes, packed: null });
    // A member of an odd length is followed by a newline, which the last may be without.
    at = Math.min(end + (end % 2), length);
  }
  return members.length === 0 ? null : { bytes: at, members };
}
