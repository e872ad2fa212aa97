/**
 * What a unit map that contradicts itself is refused with.
 * @module
 */
import { UpdateError } from '../../status.ts';

/** @throws UpdateError plan_malformed */
export function badMap(what: string): never {
  throw new UpdateError('plan_malformed', `unit map: ${what}`);
}
