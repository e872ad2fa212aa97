/**
 * Profiles: what a delta is made for. Headers say which one it is.
 * @module
 */
import { DEFAULT_SIZES, type ModelSizes } from './model-sizes.ts';

/**
 * `small`: the fewest bytes. `fast`: decoded in about half the time, for some more bytes. `low-memory`: as `small`, in less
 * than 8 MiB.
 */
export const PROFILES = ['small', 'fast', 'low-memory'] as const;
export type Profile = (typeof PROFILES)[number];

/** Model tables of a profile: as they are, or at most. */
export const PROFILE_SIZES: Readonly<Record<Profile, ModelSizes>> = {
  small: DEFAULT_SIZES,
  fast: { flagBits: 16, byteBits: 18, fast: true },
  'low-memory': { flagBits: 16, byteBits: 17 },
};

/**
 * Size of a profile's segments, where it does not depend on the target. Tables are cleared for each, which counts in `fast`;
 * together with segments of 256 KiB those of `low-memory` take less than 8 MiB.
 */
export const PROFILE_SEGMENT_BYTES: Readonly<Record<Profile, number | null>> = {
  small: null,
  fast: 4 * 1024 * 1024,
  'low-memory': 256 * 1024,
};
