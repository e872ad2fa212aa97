/**
 * `engraft-agent status`: how the last attempt ended, and where things stand.
 * @module
 */
import { Command } from 'commander';
import type { AgentStatus } from '../../agent/index.ts';
import { report } from '../terminal/frame.ts';
import { formatCount, formatCounted, formatTable } from '../terminal/text.ts';
import { DEFAULT_CONFIG, readConfig, type AgentCommandOptions } from './common.ts';

/** The command, for the frame. */
export function define(): Command {
  return new Command('status')
    .description(
      'Show how the last update ended, what the slots hold, and the counters. Exits 0 whatever it shows;\n' +
        'what cannot be read is named, and all else is shown.',
    )
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
      ? status.state === null
        ? 'how the last update ended is not known'
        : 'no update was finished yet'
      : `last update: ${status.status} (${status.code}) ${status.message}`,
    `state: ${status.state ?? 'unknown'}${status.rebootPending === true ? ', a reboot is pending' : ''}`,
    `running: slot ${status.running ?? 'unknown'}`,
  ];
  if (attempt !== null) {
    lines.push(
      `under way: version ${attempt.release.version} into slot ${attempt.targetSlot}, ` +
        `${formatCounted(attempt.segmentsDone, 'segment')}, ${formatCount(attempt.wireBytes)} bytes from the link`,
    );
  } else if (last !== null) {
    const { kind } = last.plan ?? {};
    if (kind === 'held') lines.push('the slot held it already: nothing was fetched');
    else lines.push(`it took ${formatCount(last.wireBytes)} bytes from the link (${kind ?? 'no'} payload)`);
  }
  const rows = Object.entries(status.classes).flatMap(([slotClass, slots]) =>
    Object.entries(slots).map(([slot, { version, sha256, pending }]) => [
      ...[slot, slotClass, version ?? '-', sha256?.slice(0, 16) ?? '-', String(status.slots[slot]?.triesLeft ?? '-')],
      pending === null ? '-' : `${pending.version} ${pending.step}`,
    ]),
  );
  const counters = Object.entries(status.counters ?? {}).map(([name, value]) => [name, String(value)]);
  lines.push('', formatTable([['slot', 'class', 'version', 'sha256', 'tries left', 'pending'], ...rows]));
  if (counters.length > 0) lines.push('', formatTable([['counter', 'value'], ...counters]));
  for (const { code, message } of status.problems) lines.push('', `cannot be read (${code}): ${message}`);
  return lines.join('\n');
}
