/**
 * Patch sizes that other tools reached on the corpus, kept in stored-peers.json: bytes are facts that do not depend on
 * the machine, so a ratio to the best peer can be given where none of them is installed.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../corpus/index.ts';

/** Bytes by tool. */
export type ToolBytes = Readonly<Record<string, number>>;

export interface StoredPeers {
  readonly settings: Readonly<Record<string, string>>;
  readonly pairs: Readonly<Record<string, ToolBytes>>;
}

export function readStoredPeers(): StoredPeers {
  return parseStoredPeers(readFileSync(join(repositoryRoot(), 'bench', 'size', 'stored-peers.json'), 'utf8'));
}

/** Parse and check the file. Throws naming the pair and the tool. */
export function parseStoredPeers(text: string): StoredPeers {
  const { settings, pairs } = JSON.parse(text) as StoredPeers;
  for (const [pair, tools] of Object.entries(pairs)) {
    if (Object.keys(tools).length === 0) throw new Error(`stored-peers.json: ${pair} has no tool`);
    for (const [tool, bytes] of Object.entries(tools)) {
      if (!Number.isSafeInteger(bytes) || bytes <= 0) throw new Error(`stored-peers.json: ${pair}.${tool} is no size`);
      if (settings[tool] === undefined) throw new Error(`stored-peers.json: ${tool} of ${pair} has no setting`);
    }
  }
  return { settings, pairs };
}
