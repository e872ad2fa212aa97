/**
 * What archives have in common: members one behind the other, each a file of its own.
 * @module
 */
import { LIMITS } from '../../../limits.ts';
import { UpdateError } from '../../../status.ts';
import { malformed } from '../../../unpack/tokens.ts';
import type { Container, ContainerFinder, FoundFile, FoundUnit } from '../container.ts';
import { Fields } from '../fields.ts';

/** Bytes of an archive that are one file, as they are or compressed. */
export interface Member {
  readonly offset: number;
  readonly bytes: number;
  /** How to unpack it; null: as it is. */
  readonly packed: { readonly codec: number; readonly contentBytes: number } | null;
}

/** Members in order, from `fields` that begin where the archive does. */
export interface Archive {
  readonly bytes: number;
  readonly members: readonly Member[];
}

/** What is known of a kind of archive besides how to read it. */
type Known = Pick<ContainerFinder, 'kind' | 'signature' | 'onlyFirst'>;

/**
 * A finder out of a function that reads the archive at the start of its fields, which may go on behind it. A member that
 * is an archive or a stream itself is looked into in its turn.
 */
export function archiveFinder(known: Known, read: (fields: Fields) => Archive | null): ContainerFinder {
  const { signature } = known;
  return {
    ...known,
    at: (bytes, offset) =>
      nullIfMalformed(() => {
        if (signature?.bytes.some((byte, i) => bytes[offset + signature.at + i] !== byte) === true) return null;
        const archive = read(new Fields(bytes.subarray(offset), known.kind));
        return archive === null ? null : containerOf(known.kind, offset, archive);
      }),
  };
}

/** What `read` gives, or null where bytes are not as they should be. */
export function nullIfMalformed<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (UpdateError.is(error) && error.code === 'unit_malformed') return null;
    throw error;
  }
}

/**
 * The archive that begins at `base`; offsets of its members count from there.
 * @throws UpdateError unit_malformed where members overlap, reach behind the end or are too many
 */
export function containerOf(kind: string, base: number, { bytes, members }: Archive): Container {
  const units: FoundUnit[] = [];
  const files: FoundFile[] = [];
  let end = 0;
  if (members.length > LIMITS.container_files_max) malformed(kind, `it has ${members.length} members`);
  for (const member of members) {
    if (member.offset < end || !(member.offset + member.bytes <= bytes))
      malformed(kind, `the member at ${member.offset} lies in another one, or behind the end`);
    end = member.offset + member.bytes;
    if (member.bytes === 0) continue;
    const offset = base + member.offset;
    if (member.packed === null) files.push({ parts: [{ unit: -1, offset, length: member.bytes }] });
    else {
      files.push({ parts: [{ unit: units.length, offset: 0, length: member.packed.contentBytes }] });
      units.push({ offset, packedBytes: member.bytes, ...member.packed });
    }
  }
  return { kind, offset: base, bytes, units, files, nests: true };
}
