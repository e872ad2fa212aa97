/** `--log json`: what docs/operating.md promises of its lines. */
import { expect, test } from 'vitest';
import { Log } from '../../../src/cli/agent-commands/log.ts';
import { device, makeLab } from '../../support/device/agent.ts';

test('lines say which action and version they are about while an attempt is under way', async () => {
  const it = await device(await makeLab());
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  it.log = new Log({ format: 'json', write, progressMs: 0 });
  await it.knowsSource();
  it.deployments.assign('2.0', '12');
  expect(await it.untilDone()).toMatchObject({ status: 0 });
  const about = (state: string): unknown[] => lines.filter((line) => line['state'] === state);
  for (const state of ['PLAN', 'PREPARE', 'APPLY', 'VERIFY', 'ARM', 'REBOOT', 'TRIAL', 'COMMIT', 'REPORT']) {
    expect(about(state), state).not.toEqual([]);
    for (const line of about(state)) expect(line).toMatchObject({ action: '12', version: '2.0' });
  }
  expect(lines.some(({ event }) => event === 'progress')).toBe(true);
  for (const line of [...about('IDLE'), ...about('CHECK')]) expect(line).not.toHaveProperty('action');
});
