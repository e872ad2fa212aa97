/**
 * `engraft-agent status`: how the last attempt ended, and where things stand.
 * @module
 */
import { Command } from 'commander';
import type { AgentStatus } from '../../agent/index.ts';
import { report } from '../frame.ts';
import { formatCount, formatTable } from '../text.ts';
import { DEFAULT_CONFIG, readConfig } from './common.ts';
import type { AgentCommandOptions } from './common.ts';

/** The command, for the frame. */
export function define(): Command {
  return new Command('status')
    .description('Show how the last update ended, what the slots hold, and the counters. Exits 0 whatever it shows.')
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .action(async (options: AgentCommandOptions) => {
      const config = await readConfig(options.config);
      const { Agent } = await import('../../agent/agent.ts');
      const status = await new Agent(config).status();
      report(options, status, () => textOf(status));
    });
}

function textOf(status: AgentStatus): string {
  const { attempt, last } = status;
  const lines = [
    status.status === null
      ? 'no update was finished yet'
      : `last update: ${status.status} (${status.code}) ${status.message}`,
    `state: ${status.state}${status.rebootPending ? ', a reboot is pending' : ''}`,
    `running: slot ${status.running}`,
  ];
  if (attempt !== null) {
    lines.push(
      `under way: version ${attempt.release.version} into slot ${attempt.targetSlot}, ` +
        `${attempt.segmentsDone} segments, ${formatCount(attempt.wireBytes)} bytes from the link`,
    );
  } else if (last !== null) {
    lines.push(`it took ${formatCount(last.wireBytes)} bytes from the link (${last.plan?.kind ?? 'no'} payload)`);
  }
  const rows = Object.entries(status.classes).flatMap(([slotClass, slots]) =>
    Object.entries(slots).map(([slot, { version, sha256, pending }]) => [
      ...[slot, slotClass, version ?? '-', sha256?.slice(0, 16) ?? '-', String(status.slots[slot]?.triesLeft ?? 0)],
      pending === null ? '-' : `${pending.version} ${pending.step}`,
    ]),
  );
  const counters = Object.entries(status.counters).map(([name, value]) => [name, String(value)]);
  lines.push('', formatTable([['slot', 'class', 'version', 'sha256', 'tries left', 'pending'], ...rows]));
  if (counters.length > 0) lines.push('', formatTable([['counter', 'value'], ...counters]));
  return lines.join('\n');
}
