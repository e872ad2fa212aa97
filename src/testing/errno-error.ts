/**
 * Errors as the platform's file calls throw them.
 * @module
 */
import { UNNAMED } from '../../native-free/errno.ts';

/** An error as node:fs throws them, also where Node has no name for it. */
export function errnoError(code: string, what: string): Error {
  const unnamed = Object.keys(UNNAMED).find((number) => UNNAMED[Number(number)]?.[0] === code);
  if (unnamed !== undefined) {
    const said = `Unknown system error -${unnamed}`;
    return Object.assign(new Error(`${said}: ${said}, ${what}`), { code: said, errno: -Number(unnamed) });
  }
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
