/**
 * How long the documents of a repository have yet to live: for warnings, metrics and whoever verifies it.
 * @module
 */
import type { Metadata, Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import type { Repository } from '../repository.ts';

export interface ExpiryFact {
  /** 'root', 'targets', 'snapshot', 'timestamp', or a delegated role. */
  readonly role: string;
  readonly version: number;
  /** As the document says it: UTC, whole seconds. */
  readonly expires: string;
  /** Whole days, rounded down; negative after the end. */
  readonly daysLeft: number;
  /** `soon`: less than a quarter of the life that a document of this role is given is left. */
  readonly state: 'good' | 'soon' | 'expired';
}

/** Throws what `Repository.state` throws. Empty while nothing is founded. */
export async function expiryFacts(repository: Repository): Promise<ExpiryFact[]> {
  const { root, documents } = await repository.state();
  const { lives } = repository;
  const nowMs = repository.now().getTime();
  const fact = (role: string, metadata: Metadata<Root | Targets | Snapshot | Timestamp>, life: number): ExpiryFact => {
    const { version, expires } = metadata.signed;
    const leftDays = (Date.parse(expires) - nowMs) / 86_400_000;
    const state = leftDays <= 0 ? 'expired' : leftDays < life / 4 ? 'soon' : 'good';
    return { role, version, expires, daysLeft: Math.floor(leftDays), state };
  };
  if (root === null) return [];
  const facts = [fact('root', root, lives.root)];
  if (documents === null) return facts;
  facts.push(fact('targets', documents.targets, lives.targets));
  for (const [name, metadata] of documents.delegated) facts.push(fact(name, metadata, lives.targets));
  facts.push(fact('snapshot', documents.snapshot, lives.snapshot));
  facts.push(fact('timestamp', documents.timestamp, lives.timestamp));
  return facts;
}

/** A line for each that is not good. */
export function expiryWarnings(facts: readonly ExpiryFact[]): string[] {
  return facts
    .filter(({ state }) => state !== 'good')
    .map(({ role, expires, daysLeft, state }) =>
      state === 'expired'
        ? `${role} expired on ${expires}: devices take no more updates that it vouches for`
        : `${role} expires in ${daysLeft} days, on ${expires}`,
    );
}
