/**
 * Which versions come next: one past the current one and past every file there is, since an unfinished run may have left
 * some, and no file that anyone may have cached is ever written with other content.
 *
 * After a fast-forward attack there may be files at the top of what numbers can say. Versions then begin anew at the
 * lowest number behind which there is none: the thief's files stay where they are and are led to by nothing.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { FileSystem } from '../../platform/filesystem.ts';
import type { RepositoryLayout } from '../layout.ts';
import type { RepositoryState } from './reader.ts';

/** Gives each role its next version. The function throws UpdateError limit_exceeded when there is none. */
export async function nextVersions(
  files: FileSystem,
  layout: RepositoryLayout,
  { versions, documents }: RepositoryState,
  restart: boolean,
): Promise<(role: string) => number> {
  const taken = new Map<string, Set<number>>();
  const take = (role: string, version: number): void => void setOf(taken, role).add(version);
  for (const name of await files.list(layout.metadata)) {
    const match = /^(\d+)\.(.+)\.json$/.exec(name);
    if (match !== null) take(match[2]!, Number(match[1]));
  }
  for (const name of await files.list(layout.catalogs)) {
    const match = /^(\d+)(?:\.(.+))?\.json$/.exec(name);
    if (match !== null) take(match[2] ?? 'targets', Number(match[1]));
  }
  if (!restart) {
    take('targets', versions.targets);
    take('snapshot', versions.snapshot);
    take('timestamp', versions.timestamp);
    for (const [name, { signed }] of documents?.delegated ?? []) take(name, signed.version);
  }
  return (role) => {
    const numbers = setOf(taken, role);
    let next = 1;
    if (restart) while (numbers.has(next)) next++;
    else for (const number of numbers) next = Math.max(next, number + 1);
    if (Number.isSafeInteger(next)) return next;
    const text = `${role} has version ${next - 1}: nothing comes behind; change its keys and begin anew (docs/trust.md)`;
    throw new UpdateError('limit_exceeded', text, { detail: { role } });
  };
}

function setOf(taken: Map<string, Set<number>>, role: string): Set<number> {
  const known = taken.get(role);
  if (known !== undefined) return known;
  const made = new Set<number>();
  taken.set(role, made);
  return made;
}
