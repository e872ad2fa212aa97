/**
 * The option that says what deltas are made for.
 * @module
 */
import { Option } from 'commander';
import { PROFILES } from '../../native-free/format/profile.ts';

export const profileOption = (): Option =>
  new Option(
    '--profile <name>',
    'what deltas are made for: small, the fewest bytes; fast, decoded in a third of the time for some more bytes; ' +
      'low-memory, decoded within 8 MiB',
  )
    .choices(PROFILES)
    .default('small');
