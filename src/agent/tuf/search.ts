/**
 * Finding a target (specification, 5.6.7): the top-level role first, then the roles it delegates the path to, in the order
 * in which they are written down, depth first.
 *
 * A role is verified as the delegator through which it was reached says; that it was right for another one counts for
 * nothing. Roles are kept for the time of one refresh, with their bytes, never with their authority.
 * @module
 */
import { createHash } from 'node:crypto';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { signersOf } from './keys.ts';
import type { DelegatedRole, Delegations, Document, TargetFile, Targets } from './metadata.ts';
import { matchesPattern } from './patterns.ts';
import type { Delegator, Verified } from './refresh.ts';

interface Visit {
  readonly name: string;
  readonly delegator: Delegator;
}

export class TargetSearch {
  readonly #verified: Verified;
  readonly #loaded = new Map<string, Document<Targets>>();

  constructor(verified: Verified) {
    this.#verified = verified;
  }

  /** Null when no role that may speak for the path lists it. Throws what a refresh throws, `limit_exceeded`. */
  async find(path: string): Promise<TargetFile | null> {
    const visited = new Set<string>();
    const stack: Visit[] = [];
    for (let role = this.#verified.targets; ;) {
      const found = role.signed.targets.get(path);
      if (found !== undefined) return found;
      const { delegations } = role.signed;
      if (delegations !== null) descend(delegations, role.what, path, stack);
      while (stack.length > 0 && visited.has(stack.at(-1)!.name)) stack.pop();
      const next = stack.pop();
      if (next === undefined) return null;
      if (visited.size === LIMITS.delegated_roles_max) {
        const message = `more than ${LIMITS.delegated_roles_max} delegated roles may speak for ${path}`;
        throw new UpdateError('limit_exceeded', message);
      }
      visited.add(next.name);
      role = await this.#load(next);
    }
  }

  /**
   * Paths that begin with `prefix` (whole parts, with the slash at its end), in the order in which roles are asked: those
   * of the top-level role, then of every role that may speak for some. A path counts only once `find` has found it.
   */
  async paths(prefix: string): Promise<string[]> {
    const found = new Set<string>();
    const visited = new Set<string>();
    const stack: Visit[] = [];
    for (let role = this.#verified.targets; ;) {
      for (const path of role.signed.targets.keys()) if (path.startsWith(prefix)) found.add(path);
      const { what, signed } = role;
      const { delegations } = signed;
      for (const each of [...(delegations?.roles ?? [])].reverse()) {
        const delegator = { what, role: each, keys: delegations!.keys };
        if (mayBeginWith(each, prefix)) stack.push({ name: each.name, delegator });
      }
      while (stack.length > 0 && visited.has(stack.at(-1)!.name)) stack.pop();
      const next = stack.pop();
      if (next === undefined) return [...found];
      if (visited.size === LIMITS.delegated_roles_max) {
        const message = `more than ${LIMITS.delegated_roles_max} delegated roles may speak for ${prefix}`;
        throw new UpdateError('limit_exceeded', message);
      }
      visited.add(next.name);
      role = await this.#load(next);
    }
  }

  async #load({ name, delegator }: Visit): Promise<Document<Targets>> {
    const known = this.#loaded.get(name);
    const { role, keys } = delegator;
    if (known !== undefined && signersOf(known, role, keys).length >= role.threshold) return known;
    const document = await this.#verified.load(name, delegator);
    this.#loaded.set(name, document);
    return document;
  }
}

/** Puts the roles that may speak for `path` on the stack, the first one on top; a terminating one ends all other search. */
function descend(delegations: Delegations, what: string, path: string, stack: Visit[]): void {
  const visits: Visit[] = [];
  for (const role of rolesFor(delegations, path)) {
    visits.push({ name: role.name, delegator: { what, role, keys: delegations.keys } });
    if (!role.terminating) continue;
    stack.length = 0;
    break;
  }
  stack.push(...visits.reverse());
}

const digestOfPath = (path: string): Buffer => createHash('sha256').update(path).digest();

function rolesFor({ roles, succinct }: Delegations, path: string): DelegatedRole[] {
  if (succinct === null) return roles.filter((role) => speaksFor(role, path));
  const { bitLength, namePrefix } = succinct;
  const bin = digestOfPath(path).readUInt32BE(0) >>> (32 - bitLength);
  const digits = (2 ** bitLength - 1).toString(16).length;
  const name = `${namePrefix}-${bin.toString(16).padStart(digits, '0')}`;
  return [{ ...succinct, name, terminating: true, paths: ['*'], pathHashPrefixes: null }];
}

/** Whether a path that begins so may be the role's; of digests nobody can say, and they are not listed. */
function mayBeginWith({ paths }: DelegatedRole, prefix: string): boolean {
  const parts = prefix.split('/').slice(0, -1);
  return (paths ?? []).some((pattern) => {
    const patterns = pattern.split('/').slice(0, parts.length);
    return matchesPattern(parts.join('/'), patterns.join('/'));
  });
}

function speaksFor({ paths, pathHashPrefixes }: DelegatedRole, path: string): boolean {
  if (paths !== null) return paths.some((pattern) => matchesPattern(path, pattern));
  const digest = digestOfPath(path).toString('hex');
  return (pathHashPrefixes ?? []).some((prefix) => digest.startsWith(prefix));
}
