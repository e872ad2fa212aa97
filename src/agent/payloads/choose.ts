/**
 * Choosing: which payload, and may it be fetched at all. Everything that can be refused is refused here, before a
 * byte is downloaded or a slot is touched.
 * @module
 */
import { checkMemory } from '../../../native-free/format/decoder-memory.ts';
import { orIoError } from '../../../native-free/io-error.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { folderOf } from '../../platform/filesystem.ts';
import { placeOf, slotsOf, type Context } from '../context.ts';
import { payloadBytesOf, type ImageId, type Plan, type ReleaseName } from '../records/journal.ts';
import { rollbackCounter } from '../keystore/keystore.ts';
import { requireReadable, tellUnread, whyUnread } from './formats.ts';
import { deltaPaths, formatSigned, fullPath, planOf, prefixOf } from './manifest.ts';
import { digestOfSlot } from '../slots/slots.ts';
import type { TrustedTargets } from '../tuf/trust.ts';

/** The release must be made for this device. Throws `not_compatible`. */
export function checkCompatible(context: Context, release: ReleaseName): void {
  const { device } = context.config;
  for (const field of ['product', 'hardware', 'slotClass'] as const) {
    if (release[field] === device[field]) continue;
    throw new UpdateError(
      'not_compatible',
      `the release is for ${field} '${release[field]}'; this device has '${device[field]}'`,
      { detail: { field, release: release[field], device: device[field] } },
    );
  }
}

/** The full payload's plan; every release has one. Throws `target_unknown`. */
export async function fullPlan(targets: TrustedTargets, release: ReleaseName): Promise<Plan> {
  const path = fullPath(release);
  const listed = await targets.find(path);
  if (listed === null) {
    throw new UpdateError('target_unknown', `signed metadata does not list ${path}`, { detail: { path } });
  }
  const plan = planOf(listed, release);
  if (plan.kind !== 'full') throw new UpdateError('metadata_malformed', `target ${path} is of kind ${plan.kind}`);
  return plan;
}

/** The deltas from what the running slot holds that this decoder reads, the smallest first. */
async function deltaPlans(
  context: Context,
  targets: TrustedTargets,
  release: ReleaseName,
  source: ImageId,
): Promise<Plan[]> {
  const plans: Plan[] = [];
  const formats = context.decoder.filter(({ kind }) => kind === 'delta');
  for (const path of deltaPaths(release, source.sha256, formats)) {
    const listed = await targets.find(path);
    if (listed === null) continue;
    const unread = whyUnread(context, 'the delta', listed, formatSigned(listed));
    if (unread !== null) {
      await tellUnread(context, unread);
      continue;
    }
    const plan = planOf(listed, release);
    const right = plan.kind === 'delta' && plan.source?.sha256 === source.sha256 && plan.source.bytes === source.bytes;
    if (!right) throw new UpdateError('metadata_malformed', `target ${listed.path} is not for source ${source.sha256}`);
    plans.push(plan);
  }
  return plans.sort((a, b) => a.payload.bytes - b.payload.bytes);
}

/**
 * What the running slot holds. The journal knows; after it was lost, the images that signed metadata names are tried
 * against the slot's content.
 */
async function identifySource(
  context: Context,
  targets: TrustedTargets,
  release: ReleaseName,
  slot: string,
  full: Plan,
): Promise<ImageId | null> {
  const known = context.journal.body.slots[placeOf(context, slot, release.slotClass)];
  if (known) return { bytes: known.bytes, sha256: known.sha256 };
  const images: ImageId[] = [full.target];
  for (const path of await targets.paths(`${prefixOf(release)}/delta/`)) {
    const listed = await targets.find(path);
    // Of a format that is not known, nothing else is understood either.
    if (listed === null || whyUnread(context, 'the delta', listed, formatSigned(listed)) !== null) continue;
    const { source } = planOf(listed, release);
    if (source !== null) images.push(source);
  }
  const slots = slotsOf(context, release.slotClass);
  const digests = new Map<number, string | null>();
  for (const image of images) {
    if (!digests.has(image.bytes)) digests.set(image.bytes, await digestOfSlot(context.hash, slots, slot, image.bytes));
    if (digests.get(image.bytes) === image.sha256) return image;
  }
  return null;
}

/** One slot class of a release. */
export interface Part {
  readonly release: ReleaseName;
  readonly full: Plan;
  /** What the running slot holds of this class; null where nobody can tell. */
  readonly source: ImageId | null;
}

/**
 * The release, slot class by slot class; the device's own comes last. Every class of the device has to be in it: a
 * rootfs with the boot image of another release would be a combination that nobody tested.
 * Throws `target_unknown`, `release_rollback`.
 */
export async function partsOfRelease(
  context: Context,
  targets: TrustedTargets,
  release: ReleaseName,
  running: string,
): Promise<Part[]> {
  const others = [...context.slots.keys()].filter((slotClass) => slotClass !== release.slotClass);
  const parts: Part[] = [];
  for (const slotClass of [...others, release.slotClass]) {
    const named = { ...release, slotClass };
    const full = await fullPlan(targets, named);
    await checkRollbackIndex(context, named, full);
    parts.push({ release: named, full, source: await identifySource(context, targets, named, running, full) });
  }
  return parts;
}

/** True when the inactive slot holds this image already: the journal says so, and its bytes agree. */
export async function holdsAlready(context: Context, { release, full }: Part, targetSlot: string): Promise<boolean> {
  const known = context.journal.body.slots[placeOf(context, targetSlot, release.slotClass)];
  if (known?.sha256 !== full.target.sha256) return false;
  return (await digestHeld(context, { release, full }, targetSlot)) === full.target.sha256;
}

/** SHA-256 of as much of a slot as this part of the release would fill; null where it is shorter. */
export const digestHeld = (
  context: Context,
  { release, full }: Pick<Part, 'release' | 'full'>,
  slot: string,
): Promise<string | null> => digestOfSlot(context.hash, slotsOf(context, release.slotClass), slot, full.target.bytes);

/** A copy where the running slot holds the target, else the smallest delta that the device can decode, else full. */
export async function choosePlan(
  context: Context,
  targets: TrustedTargets,
  { release, source, full }: Part,
): Promise<Plan> {
  if (source?.sha256 === full.target.sha256) {
    return {
      ...full,
      kind: 'copy',
      source,
      payload: { ...full.payload, bytes: 0 },
      decoderMemoryBytes: 0,
      decoderWork: 0,
    };
  }
  const deltas = source === null ? [] : await deltaPlans(context, targets, release, source);
  const { decoderMemoryBytes: memoryMax, decoderWork: workMax } = context.config.limits;
  for (const delta of deltas) {
    const { decoderMemoryBytes, decoderWork } = delta;
    if (decoderMemoryBytes <= memoryMax && decoderWork <= workMax) return delta;
    const takes = `${decoderMemoryBytes} bytes of memory and ${decoderWork} units of work`;
    const message = `the delta takes ${takes}; ${memoryMax} and ${workMax} are allowed: another payload it is`;
    context.emit({ type: 'note', message });
  }
  requireReadable(context, full);
  checkMemory(full.decoderMemoryBytes, memoryMax);
  return full;
}

/**
 * Never below what was committed, and no further above than the keystore could follow at the commit. Throws
 * `release_rollback`, `keystore_failed`.
 */
export async function checkRollbackIndex(context: Context, release: ReleaseName, plan: Plan): Promise<void> {
  const committed = await context.keystore.counter(rollbackCounter(release.product, release.slotClass));
  const { stepMax = Infinity } = context.keystore;
  if (plan.rollbackIndex - committed > stepMax) {
    throw new UpdateError(
      'keystore_failed',
      `release ${release.version} has rollback index ${plan.rollbackIndex}; ${committed} was committed, and the keystore ` +
        `counts by at most ${stepMax} at once: let rollback indices count releases`,
      { detail: { rollbackIndex: plan.rollbackIndex, committed, stepMax } },
    );
  }
  if (plan.rollbackIndex >= committed) return;
  throw new UpdateError(
    'release_rollback',
    `release ${release.version} has rollback index ${plan.rollbackIndex}; ${committed} was committed`,
    { detail: { rollbackIndex: plan.rollbackIndex, committed } },
  );
}

/** Throws `over_budget` when `bytes` more payload would not be within this attempt's budget. */
export function checkBudget(context: Context, bytes: number): void {
  const { budgetBytes } = context.config.limits;
  const spent = context.journal.body.attempt?.wireBytes ?? 0;
  if (budgetBytes === undefined || spent + bytes <= budgetBytes) return;
  throw new UpdateError('over_budget', `${bytes} bytes are needed, ${spent} were spent; the budget is ${budgetBytes}`, {
    detail: { payloadBytes: bytes, spentBytes: spent, budgetBytes },
  });
}

/** Throws `over_budget`, `no_space` or what is wrong with a slot, with the figures. */
export async function checkRoom(
  context: Context,
  plans: readonly Plan[],
  targetSlot: string,
  running: string,
): Promise<void> {
  checkBudget(context, payloadBytesOf(plans));
  const { limits, dataFolder } = context.config;
  // The spool holds what the segment being decoded needs: at worst (one incompressible segment) that and the header.
  const spools = plans.map(({ payload, headerBytes }) =>
    Math.min(payload.bytes, headerBytes + LIMITS.segment_bytes_max + LIMITS.plan_bytes_max),
  );
  const needs = [{ folder: dataFolder, bytes: Math.max(0, ...spools) + limits.spareBytes }];
  for (const { slotClass, target } of plans) {
    const slots = slotsOf(context, slotClass);
    await slots.check(targetSlot, target.bytes, running);
    const bytes = await slots.growthBytes(targetSlot, target.bytes);
    if (bytes > 0) needs.push({ folder: folderOf(slots.pathOf(targetSlot, running)), bytes });
  }
  const needed = new Map<number, number>();
  for (const { folder, bytes } of needs) {
    const what = `cannot ask for the free space in ${folder}`;
    const free = await orIoError(context.fs.freeBytes(folder), 'input_unreadable', what, { path: folder });
    // Equal figures mean one file system, which then must hold all of it.
    const sum = (needed.get(free) ?? 0) + bytes;
    needed.set(free, sum);
    if (sum <= free) continue;
    throw new UpdateError('no_space', `${sum} bytes are needed in ${folder}; ${free} are free`, {
      detail: { folder, neededBytes: sum, freeBytes: free },
    });
  }
}
