/**
 * What to do with a running slot that is not healthy: go back, or stay where there is nothing to go back to.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { BootState } from '../boot/control.ts';
import type { Context } from '../context.ts';

/** The slot that the boot loader would choose besides the running one, or null. */
export function wayBackFrom(running: string, { order, tries }: BootState): string | null {
  return order.find((slot) => slot !== running && (tries[slot] ?? 0) > 0) ?? null;
}

/**
 * Stay in `slot`, and keep its tries from running out: a release that is not healthy is still better than a device
 * that boots nothing. Returns what to tell.
 */
export async function stayIn(context: Context, slot: string, why: string): Promise<UpdateError> {
  await context.boot.markGood(slot);
  const message = `slot ${slot} stays, because no other slot can be booted: ${why}`;
  const error = new UpdateError('no_way_back', message, { detail: { slot } });
  context.emit({ type: 'note', message, error });
  return error;
}
