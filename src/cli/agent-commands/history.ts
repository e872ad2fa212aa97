/**
 * `engraft-agent history`: how the last attempts ended.
 * @module
 */
import { Command } from 'commander';
import type { HistoryEntry } from '../../agent/records/history.ts';
import { report } from '../terminal/frame.ts';
import { formatCount, formatCounted, formatTable } from '../terminal/text.ts';
import { DEFAULT_CONFIG, readConfig, type AgentCommandOptions } from './common.ts';

/** The command, for the frame. */
export function define(): Command {
  return new Command('history')
    .description('Show how the last 50 attempts ended, the newest last.')
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .action(async (options: AgentCommandOptions) => {
      const config = await readConfig(options.config);
      const { History, historyFile } = await import('../../agent/records/history.ts');
      const { sha256Node } = await import('../../platform/hash.ts');
      const { nodeFileSystem } = await import('../../platform/node-filesystem.ts');
      const history = new History({ fs: nodeFileSystem, hash: sha256Node, path: historyFile(config) });
      const attempts = await history.entries();
      report(options, { attempts }, () => historyText(attempts));
    });
}

/** For people: one row an attempt, and below it why it failed or what was unusual. */
export function historyText(attempts: readonly HistoryEntry[]): string {
  if (attempts.length === 0) return 'no update was finished yet';
  const rows = attempts.map((entry) => [
    new Date(entry.startedAtMs).toISOString().slice(0, 19).replace('T', ' '),
    `${entry.from ?? '?'} -> ${entry.version}`,
    String(entry.status),
    entry.code,
    [...new Set(entry.parts.map(({ kind }) => kind))].join('+') || '-',
    formatCount(entry.wireBytes),
    String(secondsOf(entry)),
  ]);
  const table = formatTable([['begun (UTC)', 'update', 'outcome', 'code', 'payload', 'bytes', 'seconds'], ...rows]);
  const remarks = attempts.flatMap((entry) => {
    const why = entry.status === 0 ? [] : [entry.message];
    if (entry.repairedSegments > 0) why.push(`repaired: ${formatCounted(entry.repairedSegments, 'segment')}`);
    if (entry.fellBack !== null) why.push(`another payload had to help: ${entry.fellBack}`);
    return why.map((text) => `${entry.version} (action ${entry.actionId}): ${text}`);
  });
  return remarks.length === 0 ? table : `${table}\n\n${remarks.join('\n')}`;
}

/** Negative where the clock was set back meanwhile: then nobody knows. */
function secondsOf({ startedAtMs, finishedAtMs }: HistoryEntry): number | '?' {
  const seconds = Math.round((finishedAtMs - startedAtMs) / 1000);
  return seconds >= 0 ? seconds : '?';
}
