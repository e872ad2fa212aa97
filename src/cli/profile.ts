/**
 * The options that say what deltas are made for.
 * @module
 */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { PROFILES, type Profile } from '../../native-free/format/profile.ts';
import { UpdateError } from '../../native-free/status.ts';
import type { DeviceClass } from '../release/pricing/price.ts';

export interface ProfileOptions {
  readonly profile: Profile | 'auto';
  /** Bits a second. */
  readonly link?: number;
  readonly device?: number;
}

const UNITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };

/** `250kbit`, `1.5mbit`: bits a second. */
function linkOption(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([kmg]?bit)$/i.exec(text) ?? [];
  const bits = Number(number) * (UNITS[unit?.toLowerCase() ?? ''] ?? NaN);
  if (bits > 0) return bits;
  throw new InvalidArgumentError('a rate is a number and one of bit, kbit, mbit, gbit: 250kbit.');
}

function deviceOption(text: string): number {
  const factor = Number(text);
  if (factor > 0 && factor <= 1000) return factor;
  throw new InvalidArgumentError('the speed of a core is a number from 0 to 1000, such as 0.1.');
}

/** Adds --profile, and --link and --device for `auto`. */
export const withProfile = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--profile <name>',
        'what deltas are made for: small, the fewest bytes; fast, decoded sooner for some more bytes; low-memory, ' +
          'decoded within 8 MiB; auto, small or fast by --link and --device, whichever takes no more CPU time than it saves',
      )
        .choices([...PROFILES, 'auto'])
        .default('small'),
    )
    .option('--link <rate>', "for auto: the devices' link, such as 250kbit or 1mbit", linkOption)
    .option('--device <speed>', 'for auto: how fast a core of theirs is, one of a build server being 1', deviceOption);

/**
 * A profile, or the class of devices that decides.
 * @throws UpdateError usage_invalid
 */
export function profileOf({ profile, link, device }: ProfileOptions): Profile | DeviceClass {
  if (profile !== 'auto') {
    if (link === undefined && device === undefined) return profile;
    throw new UpdateError('usage_invalid', '--link and --device go with --profile auto');
  }
  if (link !== undefined && device !== undefined) return { cpu: device, linkBits: link };
  throw new UpdateError('usage_invalid', '--profile auto needs --link and --device');
}
