/**
 * `engraft inspect PATCH`: what a patch says about itself, and whether its bytes are those that it vouches for.
 *
 * @module
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { Command } from 'commander';
import { PieceReader } from '../../../native-free/apply/piece-reader.ts';
import { readHeader } from '../../../native-free/apply/patcher.ts';
import { PAYLOAD_VERSION, type PayloadHeader } from '../../../native-free/format/payload-header.ts';
import { formatName } from '../../../native-free/format/features.ts';
import { bytesEqual, digestOf, toHex } from '../../../native-free/hash.ts';
import type { ByteSource } from '../../../native-free/io.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { exitCodeOf, UpdateError } from '../../../native-free/status.ts';
import { sha256Node } from '../../platform/hash.ts';
import { fillFacts, fillText } from '../patch/fill-facts.ts';
import { report, withSignals, type CommonOptions } from '../terminal/frame.ts';
import { patchKind } from '../patch/patch-file.ts';
import { unitFacts, unitRows, type UnitFacts } from '../patch/unit-facts.ts';
import { openPatch } from '../patch/patch-input.ts';
import { formatBytes, formatCount, formatTable } from '../terminal/text.ts';

interface InspectOptions extends CommonOptions {
  readonly segments?: boolean;
}

interface Inspected {
  readonly path: string;
  readonly patch: ByteSource;
  readonly signal: AbortSignal;
}

/** The command, for the frame. */
export function define(): Command {
  return new Command('inspect')
    .description('Show what is in PATCH and check it against its own digests. Exit code 20 when it is damaged.')
    .argument('<patch>', 'patch or full payload, or a BSDIFF40 patch; - for standard input')
    .option('-s, --segments', 'list the segments')
    .action((patch: string, options: InspectOptions) => inspect(patch, options));
}

async function inspect(path: string, options: InspectOptions): Promise<void> {
  await withSignals(async (signal) => {
    const patch = await openPatch(path, signal);
    try {
      const { kind, all } = await patchKind(patch.name, patch);
      const inspected = { path, patch: all, signal };
      if (kind === 'engraft') await inspectEngraft(inspected, options);
      else await inspectBsdiff40(inspected, options);
    } finally {
      patch.close();
    }
  });
}

async function inspectEngraft({ path, patch, signal }: Inspected, options: InspectOptions): Promise<void> {
  const reader = new PieceReader(patch);
  const header = await readHeader(reader, sha256Node);
  const { plan, ...damage } = await findDamage(reader, header, signal);
  const units = damage.intact ? unitFacts(header, plan) : null;
  report(options, { path, ...factsOf(header), unitMaps: units, ...damage }, () =>
    textOf(header, damage, units, options),
  );
  if (!damage.intact) process.exitCode = exitCodeOf(new UpdateError('chunk_digest', 'damaged'));
}

interface Damage {
  readonly intact: boolean;
  /** Chunks of the body that do not have their digest. */
  readonly damagedChunks: readonly number[];
  readonly missingBytes: number;
  readonly surplusBytes: number;
}

const CHUNKS_A_TURN = 64;

/** Compare each chunk that is there whole with its digest, then count what is missing or follows. */
async function findDamage(
  reader: PieceReader,
  header: PayloadHeader,
  signal: AbortSignal,
): Promise<Damage & { readonly plan: Uint8Array }> {
  const plan = header.inlineBody?.slice(0, header.planBytes) ?? new Uint8Array(header.planBytes);
  const damagedChunks: number[] = [];
  const chunk = new Uint8Array(LIMITS.chunk_bytes);
  let missingBytes = 0;
  for (const [index, expected] of header.chunkDigests.entries()) {
    // A file is read without a turn of the event loop, which a signal needs.
    if (index % CHUNKS_A_TURN === 0) await breathe(undefined, { signal });
    const offset = index * LIMITS.chunk_bytes;
    const part = chunk.subarray(0, Math.min(LIMITS.chunk_bytes, header.bodyBytes - offset));
    if (!(await filled(reader, part))) {
      missingBytes = header.payloadBytes - reader.position;
      break;
    }
    if (offset < plan.length) plan.set(part.subarray(0, plan.length - offset), offset);
    if (!bytesEqual(digestOf(sha256Node, part), expected)) damagedChunks.push(index);
  }
  const surplusBytes = missingBytes > 0 ? 0 : await countSurplus(reader);
  const intact = damagedChunks.length === 0 && missingBytes === 0 && surplusBytes === 0;
  return { intact, damagedChunks, missingBytes, surplusBytes, plan };
}

/** False when the patch ends first. */
async function filled(reader: PieceReader, into: Uint8Array): Promise<boolean> {
  try {
    await reader.fill(into, 'chunk');
    return true;
  } catch (error) {
    if (UpdateError.is(error) && error.code === 'payload_truncated') return false;
    throw error;
  }
}

/** More than this is not counted: a pipe may never end. */
const SURPLUS_BYTES_COUNTED = 16 * 2 ** 20;

async function countSurplus(reader: PieceReader): Promise<number> {
  const end = reader.position;
  const piece = new Uint8Array(LIMITS.chunk_bytes);
  while (reader.position - end < SURPLUS_BYTES_COUNTED && (await filled(reader, piece)));
  return reader.position - end;
}

function factsOf(header: PayloadHeader): Record<string, unknown> {
  const { chunkDigests, segments, inlineBody, fills: _, ...rest } = header;
  const encodedBytes = segments.reduce((sum, segment) => sum + segment.encodedBytes, 0);
  return {
    format: 'engraft',
    ...rest,
    fills: fillFacts(header),
    sourceDigest: header.kind === 'delta' ? header.sourceDigest : null,
    bodyInHeader: inlineBody !== null,
    sections: {
      headerBytes: header.headerBytes - (inlineBody?.length ?? 0),
      planBytes: header.planBytes,
      segmentBytes: encodedBytes,
    },
    chunks: chunkDigests.length,
    segments: segments.map((segment, index) => ({
      index,
      targetBytes: segment.length,
      encodedBytes: segment.encodedBytes,
      stored: segment.encodedBytes === segment.length,
      digest: segment.digest,
    })),
  };
}

function textOf(header: PayloadHeader, damage: Damage, units: UnitFacts | null, options: InspectOptions): string {
  const encodedBytes = header.bodyBytes - header.planBytes;
  const rows: [string, string][] = [
    [
      'kind',
      `${header.kind}, codec ${header.codec} (${formatName({ version: PAYLOAD_VERSION, codec: header.codec })})`,
    ],
    ['payload', `${formatCount(header.payloadBytes)} bytes`],
    ['  header', headerText(header)],
    ['  plan', planText(header)],
    ['  segments', segmentsText(header, encodedBytes)],
    [
      'target',
      `${formatCount(header.targetBytes)} bytes${fillText(header.fills.target)}, sha256 ${toHex(header.targetDigest)}`,
    ],
    ['decoder memory', formatBytes(header.decoderMemoryBytes)],
    ['decoder work', `${formatCount(header.decoderWork)} units of 2^20 look-ups`],
    ['intact', damage.intact ? 'yes' : damageText(damage)],
  ];
  if (header.kind === 'delta') {
    if (units !== null) rows.splice(5, 0, ...unitRows(units));
    rows.splice(6, 0, ['profile', header.profile]);
    const size = `${formatCount(header.sourceBytes)} bytes${fillText(header.fills.source)}`;
    rows.splice(5, 0, ['source', `${size}, sha256 ${toHex(header.sourceDigest)}`]);
  }
  const text = formatTable(rows.map(([name, value]) => [`${name}:`, value]));
  if (options.segments !== true) return text;
  const list = header.segments.map((segment, i) => [
    String(i),
    formatCount(segment.length),
    formatCount(segment.encodedBytes),
    toHex(segment.digest),
  ]);
  return `${text}\n\n${formatTable([['segment', 'target bytes', 'coded bytes', 'sha256'], ...list])}`;
}

function planText({ planBytes, units }: PayloadHeader): string {
  const maps = units === null ? '' : `, ${formatCount(units.mapBytes)} of them unit maps`;
  return `${formatCount(planBytes)} bytes${maps}`;
}

function segmentsText({ segments, segmentBytes, units }: PayloadHeader, encodedBytes: number): string {
  const most = units === null ? segmentBytes : segments.reduce((bytes, { length }) => Math.max(bytes, length), 0);
  return `${formatCount(encodedBytes)} bytes, ${segments.length} of ${units === null ? '' : 'up to '}${formatBytes(most)}`;
}

function headerText({ headerBytes, chunkDigests, inlineBody }: PayloadHeader): string {
  if (inlineBody === null) return `${formatCount(headerBytes)} bytes, ${chunkDigests.length} chunk digests`;
  return `${formatCount(headerBytes - inlineBody.length)} bytes; its digest vouches for the small body as well`;
}

function damageText(damage: Damage): string {
  const parts: string[] = [];
  if (damage.missingBytes > 0) parts.push(`${formatCount(damage.missingBytes)} bytes are missing`);
  if (damage.surplusBytes > 0) parts.push(`${formatCount(damage.surplusBytes)} bytes follow its end`);
  if (damage.damagedChunks.length > 0) parts.push(`damaged chunks: ${damage.damagedChunks.slice(0, 20).join(', ')}`);
  return `NO: ${parts.join('; ')}`;
}

async function inspectBsdiff40({ path, patch: source, signal }: Inspected, options: InspectOptions): Promise<void> {
  const { readForeignPatch } = await import('../patch/bsdiff40-file.ts');
  const { bsdiffFacts } = await import('../../../native-free/compat/index.ts');
  const patch = await readForeignPatch(path, source);
  const { targetBytes, covers, coveredBytes } = await bsdiffFacts(patch, { signal, pause: breathe });
  report(options, { path, format: 'bsdiff40', payloadBytes: patch.length, targetBytes, covers, coveredBytes }, () =>
    formatTable([
      ['kind:', 'BSDIFF40'],
      ['patch:', `${formatCount(patch.length)} bytes`],
      ['target:', `${formatCount(targetBytes)} bytes`],
      ['covers:', `${formatCount(covers)}, over ${formatCount(coveredBytes)} bytes`],
    ]),
  );
}
