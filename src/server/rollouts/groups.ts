/**
 * Who is in which group. The same rollout divides the same devices in the same way, and no device is in the first wave
 * of every rollout: their order is that of digests of the rollout's name and theirs.
 * @module
 */
import { sha256Hex } from '../../platform/hash.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { parseFilter, type Filtered } from './filter.ts';
import type { RolloutPlan } from './plan.ts';

/** Throws UpdateError usage_invalid, limit_exceeded for a plan that cannot be. */
export function checkPlan({ groups, filter }: RolloutPlan): void {
  if (groups.length === 0) throw new UpdateError('usage_invalid', 'a rollout needs a group at least');
  if (groups.length > LIMITS.rollout_groups_max) {
    throw new UpdateError('limit_exceeded', `a rollout has ${LIMITS.rollout_groups_max} groups at most`);
  }
  if (filter !== null) parseFilter(filter);
  groups.forEach((group, i) => {
    const ways = [group.percent, group.count, group.filter].filter((way) => way !== undefined);
    if (ways.length > 1) {
      throw new UpdateError('usage_invalid', `group ${i + 1}: only one of percent, count and filter`);
    }
    if (ways.length === 0 && i + 1 < groups.length) {
      throw new UpdateError('usage_invalid', `group ${i + 1}: percent, count or filter is missing`);
    }
    if (group.filter !== undefined) parseFilter(group.filter);
  });
}

/** The index of each device's group, in the order of `devices`. */
export function divide(plan: RolloutPlan, seed: string, devices: readonly Filtered[]): number[] {
  const { groups } = plan;
  const last = groups.length - 1;
  const filters = groups.map(({ filter }) => (filter === undefined ? null : parseFilter(filter)));
  const chosen = devices.map((device) => filters.findIndex((filter) => filter !== null && filter(device)));
  const left = devices
    .map(({ controllerId }, i) => ({ i, key: sha256Hex(`${seed}/${controllerId}`) }))
    .filter(({ i }) => chosen[i] === -1)
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  let at = 0;
  groups.forEach(({ percent, count }, group) => {
    if (filters[group] !== null) return;
    const asked = count ?? Math.ceil(((percent ?? 100) * devices.length) / 100);
    const end = group === last ? left.length : Math.min(left.length, at + asked);
    for (; at < end; at++) chosen[left[at]!.i] = group;
  });
  return chosen.map((group) => (group === -1 ? last : group));
}
