/**
 * Every command block of README.md and docs/integration.md is run as it stands, in a scratch folder that plays the build
 * server and the board: file slots, U-Boot's variables through libubootenv's tools, a boot loader that does what the boot
 * script in docs/boot-control.md does. Only places are replaced (`/dev/disk/by-partlabel`, `/data`, the server's address).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { commandBlocks, GuideBoard, haveBootTools } from '../support/device/guide-board.ts';

const text = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('README.md', () => {
  const [sacred, commands, ...more] = commandBlocks(text('README.md'));

  test('has two command blocks; of the first, CI runs the tests', () => {
    expect(more).toEqual([]);
    expect(sacred!.map(({ command }) => command)).toEqual(['npm ci && npm run demo', 'npm ci && npm test']);
    const ci = text('.ci/run');
    for (const command of ['npm ci', 'npm test']) expect(ci).toContain(command);
  });

  test.skipIf(!haveBootTools)(
    `shows commands that work${haveBootTools ? '' : ' (skipped: no libubootenv-tool)'}`,
    async () => {
      const board = await GuideBoard.make();
      try {
        board.image('old.img', 1);
        board.image('new.img', 2);
        const exits = await board.runAll(commands!, async ({ command }) => {
          // The agent needs a device to run on: the one that the guide makes.
          if (command.startsWith('engraft-agent run')) await board.factory('old.img', '1.0.0');
        });
        expect(exits).toEqual(exits.map(({ command }) => ({ command, code: 0 })));
        expect(board.read('target.img').equals(board.read('new.img'))).toBe(true);
      } finally {
        await board.close();
      }
    },
    300_000,
  );
});

const [guide, desk] = text('docs/integration.md').split('\n## Without a board\n') as [string, string];

describe.skipIf(!haveBootTools)(`docs/integration.md${haveBootTools ? '' : ' (skipped: no libubootenv-tool)'}`, () => {
  test('goes from an empty board to its first update, its first rollbacks and a refused downgrade', async () => {
    const board = await GuideBoard.make();
    try {
      for (const version of [1, 2, 3, 4]) board.image(`v${version}.img`, version);
      // 3.0.0 fails its health check; 4.0.0 does not even come up.
      board.unhealthy('3.0.0');
      board.hangs('v4.img');
      const exits = await board.runAll(commandBlocks(guide).flat());
      const of = (beginning: string): (number | null)[] =>
        exits.filter(({ command }) => command.startsWith(beginning)).map(({ code }) => code);
      expect(of('engraft ')).toEqual(of('engraft ').map(() => 0));
      expect(of('engraft-agent run')).toEqual([0, 0, 0, 40, 40, 0, 40, 20]);
      const others = exits.filter(({ command }) => !/^engraft(-agent run)? /.test(command));
      expect(others).toEqual(others.map(({ command }) => ({ command, code: 0 })));
      expect(board.slot('b').subarray(0, board.read('v2.img').length).equals(board.read('v2.img'))).toBe(true);
      expect(await board.outcomes()).toEqual([0, 40, 40, 20]);
      expect(board.enabled()).toEqual(['enable engraft-agent.service']);
    } finally {
      await board.close();
    }
  }, 300_000);

  test('goes the same way without a board, where the reader is the boot loader', async () => {
    const board = await GuideBoard.make();
    try {
      for (const version of [1, 2, 3]) board.image(`v${version}.img`, version);
      const [firstStep] = commandBlocks(guide);
      const exits = await board.runAll([...firstStep!, ...commandBlocks(desk).flat()]);
      const isRun = ({ command }: { command: string }): boolean => command.startsWith('engraft-agent run');
      expect(exits.filter(isRun).map(({ code }) => code)).toEqual([0, 0, 0, 40, 40]);
      const others = exits.filter((exit) => !isRun(exit));
      expect(others).toEqual(others.map(({ command }) => ({ command, code: 0 })));
      expect(board.read('desk/slot-b.img').equals(board.read('v2.img'))).toBe(true);
      expect(await board.outcomes('desk-1')).toEqual([0, 40]);
    } finally {
      await board.close();
    }
  }, 300_000);
});
