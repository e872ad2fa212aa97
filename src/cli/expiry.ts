/**
 * What `publish` and `refresh` say of the timestamp's life. The number is the release room's default, repeated because
 * `--help` must not load that room; a test holds them together.
 * @module
 */
export const EXPIRE_DAYS_DEFAULT = 30;
export const EXPIRE_DAYS_HELP =
  'days until timestamp.json expires; run engraft refresh before, or devices take no more updates';
