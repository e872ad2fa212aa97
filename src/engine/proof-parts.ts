/**
 * A proof in parts: segments do not depend on each other, so that each worker can decode a run of them.
 *
 * @module
 */
import { parseHeader, type PayloadHeader, type SegmentRecord } from '../../native-free/format/payload-header.ts';
import { WORK_UNIT } from '../../native-free/format/work.ts';
import { UpdateError } from '../../native-free/status.ts';

/** Segments first to end - 1. */
export interface ProofPart {
  readonly first: number;
  readonly end: number;
}

/** What a part of a proof took, in look-ups. */
export interface ProvenPart {
  /** Every part decodes the plan. */
  readonly planWork: number;
  readonly segmentWork: number;
}

/** About how many bytes that only have to be copied take as long as a coded one. */
const CODED_BYTE_COST = 64;

/** Runs of about equal cost that make up all segments, at most `workers`; one where there are no segments at all. */
export function proofParts(segments: readonly SegmentRecord[], workers: number): ProofPart[] {
  const costOf = ({ length, encodedBytes }: SegmentRecord): number => length + CODED_BYTE_COST * encodedBytes;
  let left = segments.reduce((sum, segment) => sum + costOf(segment), 0);
  const parts: ProofPart[] = [];
  for (let first = 0; first < segments.length;) {
    const share = left / Math.max(1, workers - parts.length);
    let end = first;
    for (let cost = 0; end < segments.length && (end === first || cost < share); end++) {
      const next = costOf(segments[end]!);
      // What lies half over the border is the next one's.
      if (end > first && parts.length + 1 < workers && cost + next / 2 > share) break;
      cost += next;
      left -= next;
    }
    parts.push({ first, end });
    first = end;
  }
  return parts.length === 0 ? [{ first: 0, end: 0 }] : parts;
}

/** Parses the header of a new payload. Throws UpdateError `proof_failed`. */
export function provenHeader(payload: Uint8Array): PayloadHeader {
  try {
    return parseHeader(payload);
  } catch (error) {
    throw proofFailure(error);
  }
}

/** Checks that a device may do what all parts together did. Throws UpdateError `proof_failed`. */
export function checkProvenWork(parts: readonly ProvenPart[], { decoderWork }: PayloadHeader): void {
  const spent = parts.reduce((sum, { segmentWork }) => sum + segmentWork, parts[0]!.planWork);
  checkFact('amount of work', spent <= decoderWork * WORK_UNIT);
}

/** Throws UpdateError `proof_failed` unless something is as it has to be. */
export function checkFact(name: string, holds: boolean): void {
  if (!holds) throw new UpdateError('proof_failed', `the new payload gives a wrong ${name}`);
}

/** What goes wrong in a proof, with what the decoder said as its cause. */
export function proofFailure(error: unknown): UpdateError {
  if (UpdateError.is(error) && error.code === 'proof_failed') return error;
  const said = error instanceof Error ? error.message : String(error);
  return new UpdateError('proof_failed', `the new payload does not apply: ${said}`, {
    detail: UpdateError.is(error) ? { code: error.code, ...error.detail } : {},
    cause: error,
  });
}
