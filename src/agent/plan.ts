/**
 * Planning: which payload, and may it be fetched at all. Everything that can be refused is refused here, before a
 * byte is downloaded or a slot is touched.
 * @module
 */
import { toHex } from '../../native-free/hash.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import { folderOf, ioError } from '../transfer/filesystem.ts';
import type { Context } from './context.ts';
import type { ImageId, Plan, ReleaseName } from './journal.ts';
import { rollbackCounter } from './keystore.ts';
import { deltaPath, fullPath, planOf, prefixOf } from './manifest.ts';
import type { TrustedTargets } from './trust.ts';

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
  const target = await targets.find(path);
  if (target === null) {
    throw new UpdateError('target_unknown', `signed metadata does not list ${path}`, { detail: { path } });
  }
  const plan = planOf(target, release);
  if (plan.kind !== 'full') throw new UpdateError('metadata_malformed', `target ${path} is of kind ${plan.kind}`);
  return plan;
}

/** The delta from what the running slot holds, when there is one. */
async function deltaPlan(targets: TrustedTargets, release: ReleaseName, source: ImageId): Promise<Plan | null> {
  const target = await targets.find(deltaPath(release, source.sha256));
  if (target === null) return null;
  const plan = planOf(target, release);
  const right = plan.kind === 'delta' && plan.source?.sha256 === source.sha256 && plan.source.bytes === source.bytes;
  if (!right) throw new UpdateError('metadata_malformed', `target ${target.path} is not for source ${source.sha256}`);
  return plan;
}

/** SHA-256 of the first `bytes` of a slot, or null when it is shorter. */
async function hashSlot(context: Context, slot: string, bytes: number): Promise<string | null> {
  const source = await context.slots.source(slot);
  try {
    if (source.size < bytes) return null;
    const hash = context.hash();
    const window = new Uint8Array(LIMITS.source_window_bytes);
    for (let at = 0; at < bytes; at += window.length) {
      const part = window.subarray(0, Math.min(window.length, bytes - at));
      await source.read(at, part);
      hash.update(part);
    }
    return toHex(hash.digest());
  } finally {
    await source.close();
  }
}

/**
 * What the running slot holds. The journal knows; after it was lost, the images that signed metadata names are tried
 * against the slot's content.
 */
export async function identifySource(
  context: Context,
  targets: TrustedTargets,
  release: ReleaseName,
  slot: string,
  full: Plan,
): Promise<ImageId | null> {
  const known = context.journal.body.slots[slot];
  if (known) return { bytes: known.bytes, sha256: known.sha256 };
  const candidates: ImageId[] = [full.target];
  for (const path of targets.paths(`${prefixOf(release)}/delta/`)) {
    const target = await targets.find(path);
    const source = target === null ? null : planOf(target, release).source;
    if (source !== null) candidates.push(source);
  }
  const digests = new Map<number, string | null>();
  for (const image of candidates) {
    if (!digests.has(image.bytes)) digests.set(image.bytes, await hashSlot(context, slot, image.bytes));
    if (digests.get(image.bytes) === image.sha256) return image;
  }
  return null;
}

/** Delta where there is one and the device can decode it, else full. */
export async function choosePlan(
  context: Context,
  targets: TrustedTargets,
  release: ReleaseName,
  source: ImageId | null,
  full: Plan,
): Promise<Plan> {
  const delta = source === null ? null : await deltaPlan(targets, release, source);
  const memoryMax = context.config.limits.decoderMemoryBytes;
  if (delta !== null && delta.decoderMemoryBytes <= memoryMax) return delta;
  if (full.decoderMemoryBytes <= memoryMax) return full;
  throw new UpdateError(
    'decoder_memory',
    `the payload needs ${full.decoderMemoryBytes} bytes to decode; ${memoryMax} are allowed`,
    { detail: { neededBytes: full.decoderMemoryBytes, allowedBytes: memoryMax } },
  );
}

/** Never below what was committed. Throws `release_rollback`. */
export async function checkRollbackIndex(context: Context, release: ReleaseName, plan: Plan): Promise<void> {
  const committed = await context.keystore.counter(rollbackCounter(release.product, release.slotClass));
  if (plan.rollbackIndex >= committed) return;
  throw new UpdateError(
    'release_rollback',
    `release ${release.version} has rollback index ${plan.rollbackIndex}; ${committed} was committed`,
    { detail: { rollbackIndex: plan.rollbackIndex, committed } },
  );
}

/** Throws `over_budget` or `no_space`, with the figures. */
export async function checkRoom(context: Context, plan: Plan, targetSlot: string, running: string): Promise<void> {
  const { limits, dataFolder } = context.config;
  const spent = context.journal.body.attempt?.wireBytes ?? 0;
  if (limits.budgetBytes !== undefined && spent + plan.payload.bytes > limits.budgetBytes) {
    throw new UpdateError(
      'over_budget',
      `the payload has ${plan.payload.bytes} bytes, ${spent} were spent; the budget is ${limits.budgetBytes}`,
      { detail: { payloadBytes: plan.payload.bytes, spentBytes: spent, budgetBytes: limits.budgetBytes } },
    );
  }
  await context.slots.check(targetSlot, plan.target.bytes);
  // The spool holds what the segment being decoded needs: at worst (one incompressible segment) that and the header.
  const spoolBytes = Math.min(plan.payload.bytes, plan.headerBytes + LIMITS.segment_bytes_max + LIMITS.plan_bytes_max);
  const growthBytes = await context.slots.growthBytes(targetSlot, plan.target.bytes);
  const slotFolder = folderOf(context.slots.pathOf(targetSlot, running));
  try {
    const dataFree = await context.fs.freeBytes(dataFolder);
    const slotFree = growthBytes === 0 ? dataFree : await context.fs.freeBytes(slotFolder);
    // Equal figures mean one file system, which then must hold both.
    const both = slotFree === dataFree;
    need(dataFolder, dataFree, spoolBytes + limits.spareBytes + (both ? growthBytes : 0));
    need(slotFolder, slotFree, growthBytes);
  } catch (error) {
    throw ioError(error, 'slot_unreadable', 'cannot ask for the free space');
  }
}

function need(folder: string, freeBytes: number, neededBytes: number): void {
  if (freeBytes >= neededBytes) return;
  throw new UpdateError('no_space', `${neededBytes} bytes are needed in ${folder}; ${freeBytes} are free`, {
    detail: { folder, neededBytes, freeBytes },
  });
}
