/**
 * Zip archives, and what else they are called: apk, jar, whl, docx.
 *
 * Members that are deflated are units, all others stand as they are: stored ones, those of other methods and those that
 * are encrypted. What lies between members stays raw too: headers, padding, the block with an apk's signatures, the
 * directory. An archive whose local headers tell another story than its directory, or whose members overlap, is none.
 * @module
 */
import { CODEC_ID } from '../../../format/unit-map.ts';
import { LIMITS } from '../../../limits.ts';
import { malformed } from '../../../unpack/tokens.ts';
import type { Container, ContainerFinder } from '../container.ts';
import { Fields } from '../fields.ts';
import { containerOf, nullIfMalformed, type Archive, type Member } from './members.ts';
import { findDirectories, forEachEntry, takeZip64, type Directory, type Entry } from './zip-directory.ts';

const KIND = 'zip';
const LOCAL_MAGIC = 0x04034b50;
const LOCAL_BYTES = 30;
const METHOD_DEFLATE = 8;
/** Flags: encrypted; sizes stand behind the data; encrypted in another way; the directory is encrypted as well. */
const ENCRYPTED = 0x0001;
const SIZES_BEHIND = 0x0008;
const ENCRYPTED_FLAGS = ENCRYPTED | 0x0040 | 0x2000;
/** A deflate block has at least two bits for 258 bytes. */
const DEFLATE_RATIO_MAX = 1032;

export const zip: ContainerFinder = {
  kind: KIND,
  signature: { at: 0, bytes: [0x50, 0x4b, 3, 4] },
  at: (bytes, offset) => archivesIn(bytes)(offset),
  within: archivesIn,
};

/** Bytes are searched for directories once, and not before there is a member. */
function archivesIn(bytes: Uint8Array): (offset: number) => Container | null {
  const fields = new Fields(bytes, KIND);
  let directories: Map<number, Directory> | null = null;
  return (offset) => {
    if (offset + LOCAL_BYTES > bytes.length || fields.u32(offset) !== LOCAL_MAGIC) return null;
    return nullIfMalformed(() => {
      directories ??= findDirectories(fields);
      const directory = directories.get(offset);
      return directory === undefined ? null : containerOf(KIND, offset, readArchive(fields, offset, directory));
    });
  };
}

function readArchive(fields: Fields, offset: number, directory: Directory): Archive {
  const entries: Entry[] = [];
  if (directory.count > LIMITS.container_files_max) fields.fault(`${directory.count} members`);
  if (!forEachEntry(fields, directory, (entry) => entries.push(entry))) fields.fault('a directory with gaps');
  entries.sort((a, b) => a.local - b.local);
  const members: Member[] = [];
  for (const [i, entry] of entries.entries()) {
    const start = dataOf(fields, entry);
    const next = entries[i + 1]?.local ?? directory.offset;
    if (!(start + entry.packedBytes <= next)) malformed(KIND, `the member at ${entry.local} lies in another one`);
    // Nothing has two bytes when it is deflated.
    if (entry.contentBytes > 0)
      members.push({ offset: start - offset, bytes: entry.packedBytes, packed: packedOf(entry) });
  }
  return { bytes: directory.end - offset, members };
}

/** How to unpack a member; null: it stays as it is. */
function packedOf({ flags, method, packedBytes, contentBytes }: Entry): Member['packed'] {
  if (method !== METHOD_DEFLATE || (flags & ENCRYPTED_FLAGS) !== 0) return null;
  if (contentBytes > Math.min(LIMITS.unit_content_bytes_max, packedBytes * DEFLATE_RATIO_MAX)) return null;
  return { codec: CODEC_ID.deflate, contentBytes };
}

/**
 * Where a member's data begin, once its local header was held against its entry in the directory.
 * @throws UpdateError unit_malformed where they do not agree
 */
function dataOf(fields: Fields, { local, flags, method, packedBytes, contentBytes, name }: Entry): number {
  fields.need(local, LOCAL_BYTES);
  const extra = local + LOCAL_BYTES + fields.u16(local + 26);
  const start = extra + fields.u16(local + 28);
  fields.need(local, start - local);
  const sizes = [fields.u32(local + 22), fields.u32(local + 18)];
  const localName = fields.slice(local + LOCAL_BYTES, extra - local - LOCAL_BYTES);
  const isSame =
    fields.u32(local) === LOCAL_MAGIC &&
    fields.u16(local + 8) === method &&
    // Whether sizes stand behind the data may be told in one place only.
    ((fields.u16(local + 6) ^ flags) & ENCRYPTED) === 0 &&
    localName.length === name.length &&
    localName.every((byte, i) => byte === name[i]);
  if (!isSame || !takeZip64(fields, extra, start, sizes)) fields.fault(`a header at ${local} that its entry denies`);
  // Sizes that stand behind the data may stand here as well.
  const isOpen = ((fields.u16(local + 6) | flags) & SIZES_BEHIND) !== 0;
  const isRight = [contentBytes, packedBytes].every((said, i) => sizes[i] === said || (isOpen && sizes[i] === 0));
  if (!isRight) fields.fault(`a header at ${local} with other sizes than its entry`);
  return start;
}
