/**
 * A slot class that does not change between two releases: the running slot's image is copied into the inactive one,
 * hashed as it is written, and not a byte comes over the link.
 *
 * There are no checkpoints: after a power cut the copy starts again, which costs local reads only.
 * @module
 */
import { toHex } from '../../../native-free/hash.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { throwIfCancelled } from '../service/cancel.ts';
import { slotsOf, type Context } from '../context.ts';
import type { Attempt, Plan } from '../records/journal.ts';

/** Bytes between two syncs. */
const PIECE_BYTES = 16 * LIMITS.source_window_bytes;

/** Throws `source_digest` when the running slot does not hold the image any more, and what the slots throw. */
export async function copySlot(context: Context, attempt: Attempt, plan: Plan, running: string): Promise<void> {
  const slots = slotsOf(context, plan.slotClass);
  const source = await slots.source(attempt.sourceSlot);
  try {
    if (source.size < plan.target.bytes) throw differs(attempt, `has only ${source.size} bytes`);
    const sink = await slots.sink(attempt.targetSlot, running);
    try {
      const hash = context.hash();
      const piece = new Uint8Array(Math.min(PIECE_BYTES, plan.target.bytes));
      for (let offset = 0, index = 0; offset < plan.target.bytes; offset += piece.length, index++) {
        const bytes = piece.subarray(0, Math.min(piece.length, plan.target.bytes - offset));
        await source.read(offset, bytes);
        hash.update(bytes);
        await sink.write({ index, offset, bytes, isLast: true });
        if (context.signal?.aborted) throw new UpdateError('aborted', 'the agent was stopped');
        await throwIfCancelled(context, attempt);
      }
      const sha256 = toHex(hash.digest());
      if (sha256 !== plan.target.sha256) throw differs(attempt, `holds ${sha256}, not ${plan.target.sha256}`);
    } finally {
      await sink.close();
    }
  } finally {
    await source.close();
  }
}

function differs({ sourceSlot }: Attempt, what: string): UpdateError {
  return new UpdateError('source_digest', `slot ${sourceSlot} ${what}`, { detail: { slot: sourceSlot } });
}
