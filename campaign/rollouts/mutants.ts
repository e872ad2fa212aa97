/**
 * Rollouts with one thing wrong, each a replacement in the source text: the tests of rollouts have to notice every one.
 * @module
 */
import type { PlantedBug } from '../fuzz/mutants.ts';

const DECIDE = 'src/server/rollouts/decide.ts';
const PLAN = 'src/server/rollouts/plan.ts';
const GROUPS = 'src/server/rollouts/groups.ts';
const STATES = 'src/server/rollouts/states.ts';
const FACTS = 'src/server/store/rollouts/facts.ts';
const STEPS = 'src/server/store/rollouts/steps.ts';
const STORE = 'src/server/store/rollouts/store.ts';

const bug = (name: string, file: string, from: string, to: string): PlantedBug => ({ name, file, from, to });

export const ROLLOUT_MUTANTS: readonly PlantedBug[] = [
  bug('devices are let in while it is paused', DECIDE, "if (facts.state !== 'running') return null;", "if (facts.state !== 'running' && facts.state !== 'paused') return null;"), // prettier-ignore
  bug('devices are let in after a halt', DECIDE, "if (facts.state !== 'running') return null;", "if (facts.state !== 'running' && facts.state !== 'halted') return null;"), // prettier-ignore
  bug('it starts before its time', DECIDE, 'facts.nowMs >= plan.startAt', 'facts.nowMs >= 0'),
  bug('errors of one group are passed over', DECIDE, 'if (failed * 100 >= errorPercent * total)', 'if (failed * 100 > 2 * errorPercent * total)'), // prettier-ignore
  bug('what was forgiven halts it again', DECIDE, 'const failed = group.failed - group.forgiven;', 'const failed = group.failed;'), // prettier-ignore
  bug('the next group begins as soon as one has succeeded', DECIDE, 'return i === 0 || hasSucceeded(plans[i - 1]!, groups[i - 1]!) ? i : -1;', 'return i === 0 || groups[i - 1]!.succeeded > 0 ? i : -1;'), // prettier-ignore
  bug('a group that nobody approved begins', DECIDE, 'plans[i]!.approve === true && !groups[i]!.approved', 'plans[i]!.approve === true && false'), // prettier-ignore
  bug('slots are those of one group', DECIDE, 'const open = groups.reduce((sum, group) => sum + group.open, 0);', 'const open = groups[0]!.open;'), // prettier-ignore
  bug('one device too many at a time', DECIDE, 'concurrent - open, Math', 'concurrent - open + 1, Math'),
  bug('it makes up for a pause', DECIDE, 'return Math.min(Math.max(1, perHour * CREDITS_HOURS), credits + earned);', 'return credits + earned;'), // prettier-ignore
  bug('a group without enough success is no reason to halt', DECIDE, "if (stuck >= 0 && groups[stuck + 1]!.state === 'waiting') {", 'if (stuck >= 0 && groups.length < 0) {'), // prettier-ignore
  bug('health is compared with nothing', DECIDE, 'if (failed / ended <= usual * health.ratio) return null;', 'if (failed <= ended) return null;'), // prettier-ignore
  bug(
    'a dynamic rollout ends',
    DECIDE,
    'const stays = plan.dynamic && ',
    'const stays = !plan.dynamic && plan.dynamic && ',
  ),
  bug('hours over midnight are none', PLAN, ': minute >= fromMinute || minute < toMinute;', ': minute >= fromMinute && minute < toMinute;'), // prettier-ignore
  bug('a count is a percentage', GROUPS, 'const asked = count ?? Math.ceil(', 'const asked = Math.ceil('),
  bug('every rollout has the same devices first', GROUPS, 'sha256Hex(`${seed}/${controllerId}`)', 'sha256Hex(`${controllerId}`)'), // prettier-ignore
  bug('a stopped rollout can go on', STATES, 'stopped: {},', "stopped: { resume: 'running' },"),
  bug('a time-out is no failure', FACTS, "const hasFailed = became === 'failed' || became === 'timed_out';", "const hasFailed = became === 'failed';"), // prettier-ignore
  bug('nobody is given up on', FACTS, 'nowMs - plan.timeoutMinutes * MINUTE_MS)', 'nowMs - plan.timeoutMinutes * MINUTE_MS * 1e6)'), // prettier-ignore
  bug(
    'a late success is not heard',
    FACTS,
    "eb('actions.state', '=', 'finished')",
    "eb('actions.state', '=', 'cancelled')",
  ),
  bug('a device is tried for ever', FACTS, 'const isTriedAgain = hasFailed && failures < plan.retries;', 'const isTriedAgain = hasFailed && plan.retries > 0;'), // prettier-ignore
  bug('a device is tried again at once', FACTS, 'due_at: nowMs + plan.retryMinutes * MINUTE_MS', 'due_at: nowMs'),
  bug(
    'those who wait for a retry are let in',
    FACTS,
    'case when due_at <= ${nowMs} then',
    'case when due_at <= ${nowMs * 2} then',
  ),
  bug('what nobody fetched stays after a halt', STEPS, 'return recall(trx, rollout, nowMs);', 'return [];'),
  bug('what was fetched is taken back by a halt', STEPS, "    .where('retrieved_at', 'is', null)\n    .returning(['id', 'controller_id as controllerId'])", "    .returning(['id', 'controller_id as controllerId'])"), // prettier-ignore
  bug('stop leaves actions as they are', STEPS, "await withdraw(trx, at, (query) => query.where('deployment_id', 'in', deployments));", ''), // prettier-ignore
  bug('a device that is there already is updated', STEPS, 'if (member.version === release.version) {', 'if (member.version === null) {'), // prettier-ignore
  bug('a dear device is let in', STEPS, 'plan.deviceBytes !== null && bytes > plan.deviceBytes', 'plan.deviceBytes !== null && bytes < 0'), // prettier-ignore
  bug('a wave costs what it costs', STEPS, 'wave.bytes += bytes;', 'wave.bytes += 0;'),
  bug('devices of a retry share an action', STEPS, 'const attempt = member.attempt + 1;', 'const attempt = 1;'),
  bug('credits are not spent', STEPS, '(credits - begun) * 1000', 'credits * 1000'),
  bug('after stop, polls are answered from memory', STORE, "if (command === 'stop') this.#polls.forget();", ''),
  bug('a tick is one step', STORE, 'const STEPS_MAX = 10_000;', 'const STEPS_MAX = 1;'),
  bug('later devices join what takes none', STORE, 'return plans.filter(({ plan }) => plan.dynamic);', 'return plans;'),
  bug(
    'who may join is not looked at',
    STORE,
    'if (plan.filter !== null && !parseFilter(plan.filter)(device)) continue;',
    '',
  ),
  bug('another tenant can stop it', STORE, 'if (rollout !== null && rollout.tenant === tenant) return rollout;', 'if (rollout !== null) return rollout;'), // prettier-ignore
  bug('devices are sent where they would not go', STORE, 'if (release.rollback_index >= from.rollback_index) return;', 'if (release.rollback_index >= 0) return;'), // prettier-ignore
];
