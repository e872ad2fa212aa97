/**
 * The configuration file, and what may be wrong in it.
 */
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/agent/index.ts';

const GOOD = `
[device]
controller_id = "dev-1"
product = "cam"
hardware = "v1"
[device.attributes]
site = "roof"
[server]
url = "https://ota.example/"
target_token = "secret"
[data]
folder = "data"
[trust]
root = "/etc/root.json"
[slots]
A = "/dev/a"
B = "/dev/b"
[health]
commands = [["check", "--all"]]
`;

describe('a configuration', () => {
  test('is read, with defaults and paths from its folder', () => {
    const config = parseConfig(GOOD, '/etc/engraft');
    expect(config).toMatchObject({
      device: { controllerId: 'dev-1', slotClass: 'rootfs', attributes: { site: 'roof' } },
      server: { url: 'https://ota.example', tenant: 'default', token: { kind: 'target', value: 'secret' } },
      dataFolder: '/etc/engraft/data',
      place: {
        kind: 'slots',
        slots: { A: { rootfs: '/dev/a' }, B: { rootfs: '/dev/b' } },
        boot: { backend: 'file', tries: 3, stateFile: '/etc/engraft/data/boot-state' },
      },
      rebootCommand: null,
      health: { commands: [['check', '--all']] },
    });
  });

  test('has a path for every slot class of every slot', () => {
    const text = GOOD.replace(
      'A = "/dev/a"\nB = "/dev/b"',
      '[slots.A]\nrootfs = "a"\nboot = "b"\n[slots.B]\nrootfs = "c"\nboot = "d"',
    );
    expect(parseConfig(text, '/dev').place).toMatchObject({
      slots: { A: { rootfs: '/dev/a', boot: '/dev/b' }, B: { rootfs: '/dev/c', boot: '/dev/d' } },
    });
  });

  test.each([
    ['a missing key', 'product = "cam"', '', 'device.product'],
    ['an unknown key', 'hardware = "v1"', 'hardware = "v1"\nhardwear = "v2"', 'device.hardwear'],
    ['a wrong type', 'product = "cam"', 'product = 7', 'device.product'],
    ['a name that could leave its place in a URL', 'product = "cam"', 'product = "../x"', 'device.product'],
    ['an address that is none', '"https://ota.example/"', '"ftp://x"', 'server.url'],
    ['a number out of range', '[health]', '[limits]\nattempts_max = 0\n[health]', 'limits.attempts_max'],
    ['a command that is a text', '[["check", "--all"]]', '["check"]', 'health.commands[0]'],
    ['one slot only', 'B = "/dev/b"', '', 'slots'],
    ['the same path for both slots', '"/dev/b"', '"/dev/a"', 'slots'],
    ['slots without the same classes', 'B = "/dev/b"', '[slots.B]\nrootfs = "/dev/b"\nboot = "/dev/c"', 'slots.B'],
    ['a slot without the class of the device', 'B = "/dev/b"', '[slots.B]\nboot = "/dev/b"', 'slots.B'],
    ['an unknown table', '[health]', '[helth]\nx = 1\n[health]', 'helth'],
    ['a table that is a text', '[trust]\nroot = "/etc/root.json"', '', 'trust'],
  ])('with %s names the key', (_what, from, to, key) => {
    expect(GOOD).toContain(from);
    const text = GOOD.replace(from, to);
    expect(() => parseConfig(text, '/', 'agent.toml')).toThrowError(
      expect.objectContaining({
        code: 'config_invalid',
        detail: { key },
        message: expect.stringContaining(key) as unknown,
      }),
    );
  });

  test('that is no TOML names the line', () => {
    expect(() => parseConfig('[device]\nproduct = ', '/', 'agent.toml')).toThrowError(/agent\.toml: line 2/);
  });

  test('needs slots or a file target, and not both', () => {
    const both = `${GOOD}\n[target]\npath = "/opt/app"\n`;
    expect(() => parseConfig(both, '/')).toThrowError(/either \[slots\] or \[target\]/);
    const file = GOOD.replace(/\[slots\]\nA.*\nB.*\n/, '[target]\npath = "/opt/app"\n');
    expect(parseConfig(file, '/').place).toEqual({ kind: 'file', path: '/opt/app' });
  });
});
