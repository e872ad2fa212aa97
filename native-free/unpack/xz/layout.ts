/**
 * Headers, index and footer of an xz stream: read, and written again.
 *
 * After the xz file format 1.1.0, sections in brackets. All of it follows from the blocks, but for what `XzBlockHead`
 * and the check's number say; so nothing of it is carried raw.
 * @module
 */
import { ByteReader, ByteWriter, concat } from '../../format/bytes.ts';
import { bytesEqual } from '../../hash.ts';
import { branchFilterOf } from '../bcj/filters.ts';
import { malformed } from '../tokens.ts';
import { crc32 } from '../checksums.ts';
import { checkOf, littleBytes } from './checks.ts';

/** [2.1.1] */
export const STREAM_HEADER_BYTES = 12;
const HEADER_MAGIC = Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0);
const FOOTER_MAGIC = Uint8Array.of(0x59, 0x5a);
const CRC_BYTES = 4;
const FILTERS_MAX = 4;
const HEADER_BYTES_MAX = 1024;
const FLAG_PACKED_BYTES = 0x40;
const FLAG_CONTENT_BYTES = 0x80;
const FLAGS_RESERVED = 0x3c;
const LZMA2_ID = 0x21;
const DICTIONARY_CODE_MAX = 40;
/** [1.2] Numbers may have 63 bits; lengths of ours fit 53. */
const INTEGER_MAX = Number.MAX_SAFE_INTEGER;
const INDEX_INDICATOR = 0;

/** A branch filter as a block's header has it. */
export interface XzBranchFilter {
  readonly id: number;
  /** Null where it is left out, which means 0. */
  readonly start: number | null;
}

/** What a block's writer chose. [3.1] */
export interface XzBlockHead {
  /** A multiple of four: writers that did not know the lengths yet leave room. */
  readonly headerBytes: number;
  readonly hasPackedBytes: boolean;
  readonly hasContentBytes: boolean;
  /** In the order in which the compressor applied them. */
  readonly filters: readonly XzBranchFilter[];
  /** [5.3.1] The dictionary's size in six bits. */
  readonly dictionaryCode: number;
}

/** [4.3] One record of the index. */
export interface XzRecord {
  readonly unpaddedBytes: number;
  readonly contentBytes: number;
}

export const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4;

/** [5.3.1] */
export function dictionaryBytesOf(code: number): number {
  return code === DICTIONARY_CODE_MAX ? 2 ** 32 - 1 : (2 | (code & 1)) * 2 ** ((code >> 1) + 11);
}

/** [2.1.1] The number of the check. @throws UpdateError unit_malformed */
export function readStreamHeader(packed: Uint8Array): number {
  if (packed.length < STREAM_HEADER_BYTES) malformed('xz', 'the stream header is cut off');
  if (!bytesEqual(packed.subarray(0, HEADER_MAGIC.length), HEADER_MAGIC)) malformed('xz', 'this is no xz stream');
  const check = packed[7]!;
  checkOf(check);
  if (!bytesEqual(writeStreamHeader(check), packed.subarray(0, STREAM_HEADER_BYTES)))
    malformed('xz', 'the stream header is damaged');
  return check;
}

/** @throws UpdateError unit_malformed */
export function writeStreamHeader(check: number): Uint8Array {
  checkOf(check);
  const flags = Uint8Array.of(0, check);
  return concat([HEADER_MAGIC, flags, littleBytes(crc32(flags))]);
}

/** [3.1] A header that says what `writeBlockHeader` makes of it, and nothing else. @throws UpdateError unit_malformed */
export function readBlockHeader(packed: Uint8Array, at: number): XzBlockHead & Partial<XzLengths> {
  const headerBytes = (packed[at]! + 1) * 4;
  if (packed.length - at < headerBytes) malformed('xz', `the block header at byte ${at} is cut off`);
  const flags = packed[at + 1]!;
  if ((flags & FLAGS_RESERVED) !== 0) malformed('xz', `the block header at byte ${at} has unknown flags`);
  const fields = packed.subarray(at + 2, at + headerBytes - CRC_BYTES);
  const reader = new ByteReader(fields, 'unit_malformed', 'unit_malformed');
  const hasPackedBytes = (flags & FLAG_PACKED_BYTES) !== 0;
  const hasContentBytes = (flags & FLAG_CONTENT_BYTES) !== 0;
  const packedBytes = hasPackedBytes ? reader.varint('packed size', INTEGER_MAX) : undefined;
  const contentBytes = hasContentBytes ? reader.varint('content size', INTEGER_MAX) : undefined;
  const filters: XzBranchFilter[] = [];
  for (let i = flags & (FILTERS_MAX - 1); i > 0; i--) filters.push(readBranchFilter(reader));
  if (reader.u8('filter') !== LZMA2_ID || reader.u8('properties') !== 1)
    malformed('xz', 'the last filter is not LZMA2');
  const dictionaryCode = reader.u8('dictionary');
  if (dictionaryCode > DICTIONARY_CODE_MAX) malformed('xz', `no dictionary has the size ${dictionaryCode}`);
  const head = { headerBytes, hasPackedBytes, hasContentBytes, filters, dictionaryCode };
  const again = writeBlockHeader(head, { packedBytes: packedBytes ?? 0, contentBytes: contentBytes ?? 0 });
  if (!bytesEqual(again, packed.subarray(at, at + headerBytes)))
    malformed('xz', `the block header at byte ${at} is damaged`);
  return { ...head, packedBytes, contentBytes };
}

/** [5.3.2] */
function readBranchFilter(reader: ByteReader): XzBranchFilter {
  const id = reader.u8('filter');
  const kind = branchFilterOf(id);
  if (kind === undefined) malformed('xz', `filter ${id} is not known`);
  const size = reader.u8('properties');
  if (size !== 0 && size !== 4) malformed('xz', `filter ${id} has ${size} bytes of properties`);
  const start = size === 0 ? null : reader.u32('start offset');
  if (start !== null && start % kind.alignment !== 0) malformed('xz', `filter ${id} does not start at ${start}`);
  return { id, start };
}

export interface XzLengths {
  readonly packedBytes: number;
  readonly contentBytes: number;
}

/** [3.1] @throws UpdateError unit_malformed if it does not fit its size */
export function writeBlockHeader(head: XzBlockHead, lengths: XzLengths): Uint8Array {
  if (head.filters.length >= FILTERS_MAX) malformed('xz', `a block has ${head.filters.length} filters`);
  const fields = blockFields(head, lengths);
  const bytes = head.headerBytes - CRC_BYTES;
  if (fields.length > bytes || head.headerBytes % 4 !== 0 || head.headerBytes > HEADER_BYTES_MAX)
    malformed('xz', `a block header does not fit into ${head.headerBytes} bytes`);
  const all = concat([fields, new Uint8Array(bytes - fields.length)]);
  return concat([all, littleBytes(crc32(all))]);
}

/** How long the header has to be for these lengths. */
export function headerBytesMin(head: XzBlockHead, lengths: XzLengths): number {
  return padded(blockFields(head, lengths).length) + CRC_BYTES;
}

/** All before padding and CRC. */
function blockFields(head: XzBlockHead, lengths: XzLengths): Uint8Array {
  const writer = new ByteWriter();
  const flags = (head.hasPackedBytes ? FLAG_PACKED_BYTES : 0) | (head.hasContentBytes ? FLAG_CONTENT_BYTES : 0);
  writer.u8(head.headerBytes / 4 - 1);
  writer.u8(flags | head.filters.length);
  if (head.hasPackedBytes) writer.varint(lengths.packedBytes);
  if (head.hasContentBytes) writer.varint(lengths.contentBytes);
  for (const { id, start } of head.filters) {
    writer.varint(id);
    writer.varint(start === null ? 0 : 4);
    if (start !== null) writer.u32(start);
  }
  writer.bytes(Uint8Array.of(LZMA2_ID, 1, head.dictionaryCode));
  return writer.finish();
}

/** [4] Index and [2.1.2] footer, which follow from the blocks. */
export function writeIndexAndFooter(check: number, records: readonly XzRecord[]): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(INDEX_INDICATOR);
  writer.varint(records.length);
  for (const { unpaddedBytes, contentBytes } of records) {
    writer.varint(unpaddedBytes);
    writer.varint(contentBytes);
  }
  while (writer.length % 4 !== 0) writer.u8(0);
  const index = writer.finish();
  const backward = concat([littleBytes(index.length / 4), Uint8Array.of(0, check)]);
  return concat([index, littleBytes(crc32(index)), littleBytes(crc32(backward)), backward, FOOTER_MAGIC]);
}
