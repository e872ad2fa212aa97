/**
 * What a payload says of the compressed units of its images, for people.
 * @module
 */
import { readLayouts } from '../../../native-free/apply/unit-segment-decoder.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import type { PayloadHeader } from '../../../native-free/format/payload-header.ts';
import { PlanRoom } from '../../../native-free/format/plan.ts';
import { WORK_UNIT } from '../../../native-free/format/work.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import type { VirtualLayout } from '../../../native-free/unpack/map/virtual-layout.ts';
import { formatCount, formatCounted } from '../terminal/text.ts';

/** Units of one image. */
interface SideFacts {
  readonly units: number;
  readonly byCodec: Readonly<Record<string, number>>;
  readonly pieces: number;
  readonly packedBytes: number;
  readonly contentBytes: number;
  /** Bytes of the image that are in no unit. */
  readonly rawBytes: number;
}

export interface UnitFacts {
  readonly source: SideFacts;
  /** `copied` units have the bytes of one of the source's; the others are made again. */
  readonly target: SideFacts & { readonly copied: number; readonly replayed: number };
}

const CODEC_NAMES = new Map<number, string>(Object.entries(CODEC_ID).map(([name, id]) => [id, name]));

/**
 * Null for payloads without units. `section` is the plan section.
 * @throws UpdateError plan_malformed
 */
export function unitFacts(header: PayloadHeader, section: Uint8Array): UnitFacts | null {
  if (header.units === null) return null;
  const coder = new MixCoder(false, header.modelSizes);
  coder.work.limit = header.decoderWork * WORK_UNIT;
  const room = new PlanRoom(LIMITS.decoder_memory_bytes_max);
  const { source, target } = readLayouts(section.subarray(0, header.units.mapBytes), header, coder, room);
  const copied = target.units.filter(({ copyOf }) => copyOf >= 0).length;
  return {
    source: sideFacts(source),
    target: { ...sideFacts(target), copied, replayed: target.units.length - copied },
  };
}

function sideFacts({ units, pieces, imageBytes }: VirtualLayout): SideFacts {
  const byCodec: Record<string, number> = {};
  let packedBytes = 0;
  let contentBytes = 0;
  let rawBytes = imageBytes;
  for (const unit of units) {
    const name = CODEC_NAMES.get(unit.codec) ?? String(unit.codec);
    byCodec[name] = (byCodec[name] ?? 0) + 1;
    packedBytes += unit.packedBytes;
    contentBytes += unit.contentBytes;
    if (unit.parent < 0) rawBytes -= unit.packedBytes;
  }
  return { units: units.length, byCodec, pieces: pieces.length, packedBytes, contentBytes, rawBytes };
}

/** Rows of a report. */
export function unitRows({ source, target }: UnitFacts): [string, string][] {
  const list = ({ byCodec }: SideFacts): string =>
    Object.entries(byCodec)
      .map(([name, count]) => `${formatCount(count)} ${name}`)
      .join(', ') || 'none';
  const sizes = ({ packedBytes, contentBytes, rawBytes, pieces }: SideFacts): string =>
    `${formatCount(packedBytes)} bytes for ${formatCount(contentBytes)}, ${formatCount(rawBytes)} raw, in ${formatCounted(pieces, 'piece')}`;
  return [
    ['source units', `${list(source)}; ${sizes(source)}`],
    [
      'target units',
      `${list(target)}; ${sizes(target)}; ${formatCount(target.copied)} copied, ${formatCount(target.replayed)} made again`,
    ],
  ];
}
