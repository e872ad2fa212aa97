/**
 * What the agent's commands say: status with boot tools that fail, the file's own names in check-config, a configuration
 * that tests nothing, and a release that was there already.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { define as checkConfig } from '../../../src/cli/agent-commands/check-config.ts';
import { define as status } from '../../../src/cli/agent-commands/status.ts';
import { device, imagePair, makeLab } from '../../support/device/agent.ts';
import { temporaryFolder } from '../../support/release.ts';

let said = '';
beforeEach(() => {
  said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

function configuration(health: string): string {
  const folder = temporaryFolder();
  for (const name of ['a', 'b', 'root.json']) writeFileSync(join(folder, name), '');
  mkdirSync(join(folder, 'data'));
  const file = join(folder, 'agent.toml');
  writeFileSync(
    file,
    `[device]\ncontroller_id = "dev-1"\nproduct = "cam"\nhardware = "v1"
[server]\nurl = "http://ota.test"\ntarget_token = "s3cret"\n[data]\nfolder = "data"\n[trust]\nroot = "root.json"
[slots]\nA = "a"\nB = "b"\n[boot]\nbackend = "uboot"\nprintenv = ["/no/such/tool"]\n${health}`,
  );
  return file;
}

const run = (command: ReturnType<typeof status>, ...args: string[]): Promise<unknown> =>
  command.exitOverride().parseAsync(args, { from: 'user' });

describe('status', () => {
  test('shows what it can when the boot tools fail, and names what it cannot', async () => {
    await run(status(), '-c', configuration(''));
    expect(said).toContain('no update was finished yet');
    expect(said).toContain('running: slot unknown');
    expect(said).toMatch(/cannot be read \(boot_tool_failed\): .*\/no\/such\/tool/);
    expect(said).toMatch(/^A +rootfs/m);
  });

  test('says so when the journal is damaged', async () => {
    const file = configuration('');
    writeFileSync(join(file, '..', 'data', 'journal'), 'rubbish');
    await run(status(), '-c', file);
    expect(said).toContain('state: unknown');
    expect(said).toContain('record_malformed');
  });
});

describe('check-config', () => {
  test("prints the file's own names, and no token", async () => {
    await run(checkConfig(), '-c', configuration('[health]\ncommands = [["true"]]\n'));
    expect(said).toMatch(/^device\.controller_id +"dev-1"$/m);
    expect(said).toMatch(/^server\.poll_seconds +300$/m);
    expect(said).toMatch(/^boot\.printenv +\["\/no\/such\/tool"\]$/m);
    expect(said).not.toContain('s3cret');
    expect(said).not.toContain('controllerId');
    expect(said).not.toContain('health.commands is empty');
  });

  test('says when nothing tests a release', async () => {
    await run(checkConfig(), '-c', configuration(''));
    expect(said).toContain('health.commands is empty');
  });
});

test('a redeploy of what runs is held, not a full payload of 0 bytes', async () => {
  const it = await device(await makeLab(imagePair(70_000, 70_000)));
  await it.knowsSource();
  it.deployments.assign('1.0');
  expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
  expect((await it.agent().status()).last?.plan?.kind).toBe('held');
  expect(it.network.bytesOf('/blobs/')).toBe(0);
});
