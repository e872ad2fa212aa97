/** The options that say what deltas are made for. */
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { profileOf, withProfile, type ProfileOptions } from '../../../src/cli/profile.ts';

function parsed(...args: string[]): ProfileOptions {
  const command = withProfile(new Command('diff'))
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return command.parse(args, { from: 'user' }).opts();
}

describe('--profile', () => {
  it.each(['small', 'fast', 'low-memory'] as const)('names a profile: %s', (name) => {
    expect(profileOf(parsed('--profile', name))).toBe(name);
  });

  it('is the fewest bytes by default', () => {
    expect(profileOf(parsed())).toBe('small');
  });

  it.each([
    ['250kbit', 250e3],
    ['1.5Mbit', 1.5e6],
    ['9600bit', 9600],
    ['2gbit', 2e9],
  ])('is decided by devices, if it is auto: a link of %s', (text, linkBits) => {
    expect(profileOf(parsed('--profile', 'auto', '--link', text, '--device', '0.1'))).toEqual({ cpu: 0.1, linkBits });
  });

  it.each([
    ['--profile', 'auto'],
    ['--profile', 'auto', '--link', '1mbit'],
    ['--device', '1'],
    ['--link', '1mbit'],
  ])('says what is missing, or too much: %s %s', (...args) => {
    expect(() => profileOf(parsed(...args))).toThrow(expect.objectContaining({ code: 'usage_invalid' }));
  });

  it.each([
    ['--profile', 'tiny'],
    ['--link', '5x'],
    ['--link', '0bit'],
    ['--link', '-1mbit'],
    ['--device', '0'],
    ['--device', 'fast'],
  ])('refuses what is none: %s %s', (...args) => {
    expect(() => parsed(...args)).toThrow();
  });
});
