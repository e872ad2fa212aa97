/**
 * Is the running slot the one that was confirmed? Only a journal that is this device's own, and that agrees with what
 * it did not write itself, can say so. Everything else is a doubt, and with a doubt a slot is tested before it is
 * confirmed: the release that breaks the data partition is exactly the one that must go back.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { Context } from '../context.ts';
import { partsOf, type Attempt } from '../records/journal.ts';
import { rollbackCounter } from '../keystore/keystore.ts';

/** Null: it was confirmed. Else why nobody can say so. */
export async function doubtAbout(context: Context, running: string): Promise<UpdateError | null> {
  const { journal, config } = context;
  const { confirmed } = journal.body;
  if (journal.damage !== null) return journal.damage;
  if (confirmed === null) {
    const message = `no journal in ${config.dataFolder} knows whether slot ${running} was confirmed`;
    return new UpdateError('record_missing', message, { detail: { slot: running } });
  }
  if (confirmed.slot !== running) {
    return stale(`slot ${running} runs, and the journal knows slot ${confirmed.slot} as the confirmed one`);
  }
  const counters = await rollbackCounters(context);
  const changed = Object.keys(counters).find((name) => counters[name] !== (confirmed.counters[name] ?? 0));
  if (changed === undefined) return null;
  return stale(
    `counter ${changed} is ${counters[changed]} in the keystore and ${confirmed.counters[changed] ?? 0} in the journal`,
  );
}

/** The rollback counters of this device, as the keystore has them. Empty where it cannot be asked: that is no doubt. */
export async function rollbackCounters({ config, slots, keystore, emit }: Context): Promise<Record<string, number>> {
  try {
    const all = await keystore.counters();
    const names = [...slots.keys()].map((slotClass) => rollbackCounter(config.device.product, slotClass));
    return Object.fromEntries(names.map((name) => [name, all[name] ?? 0]));
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    if (error.code === 'bug') throw thrown;
    emit({ type: 'note', message: `the counters cannot be compared: ${error.message}`, error });
    return {};
  }
}

/**
 * COMMIT is entered once the trial was passed, and is then carried through. In a journal that is older than the
 * keystore it is a commit of long ago, and says nothing of what the slot holds now.
 */
export async function commitIsStale(context: Context, attempt: Attempt): Promise<boolean> {
  const counters = await rollbackCounters(context);
  return partsOf(attempt).some(({ slotClass, rollbackIndex }) => {
    return (counters[rollbackCounter(attempt.release.product, slotClass)] ?? 0) > rollbackIndex;
  });
}

/** The keystore knows less than what the attempt has committed: it is the older of the two. */
export async function countersLag(context: Context, attempt: Attempt): Promise<boolean> {
  const counters = await rollbackCounters(context);
  return partsOf(attempt).some(({ slotClass, rollbackIndex }) => {
    const counter = counters[rollbackCounter(attempt.release.product, slotClass)];
    return counter !== undefined && counter < rollbackIndex;
  });
}

const stale = (message: string): UpdateError => new UpdateError('record_stale', message);
