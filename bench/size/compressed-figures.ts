/**
 * What is known of our patches between compressed images, kept in compressed-figures.json: a pair takes up to many
 * minutes, so runs measure some of them and leave the others as they are.
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../corpus/index.ts';
import type { Usage } from '../measured-process.ts';
import type { Outcome } from '../peers/index.ts';
import type { BestPeer, OurOutcome } from './results.ts';

export interface CompressedRow {
  /** When and on what it was measured. */
  readonly date: string;
  readonly commit: string;
  readonly command: string;
  readonly targetBytes: number;
  /** What a Node process takes that does nothing. */
  readonly floor: Usage;
  readonly ours: OurOutcome;
  readonly peers: Readonly<Record<string, Outcome>>;
  readonly best: BestPeer | null;
  readonly ratio: number | null;
  /** Ours between the images with nothing unpacked. */
  readonly packed?: OurOutcome;
  /** Ours on the pair of the corpus with the same content in no compressed form. */
  readonly plain?: { readonly name: string; readonly targetBytes: number; readonly ours: OurOutcome };
  /** Other tools on the contents of both images, as if packing them again cost nothing. */
  readonly idealised?: { readonly targetBytes: number; readonly peers: Readonly<Record<string, Outcome>> };
}

export interface CompressedFigures {
  /** By pair, in the order of their names. */
  readonly pairs: Readonly<Record<string, CompressedRow>>;
}

const file = (): string => join(repositoryRoot(), 'bench', 'size', 'compressed-figures.json');

/** Nothing where the file is not there yet. */
export function readFigures(): CompressedFigures {
  return existsSync(file()) ? (JSON.parse(readFileSync(file(), 'utf8')) as CompressedFigures) : { pairs: {} };
}

export function writeFigures(figures: CompressedFigures): void {
  writeFileSync(file(), `${JSON.stringify(figures, null, 2)}\n`);
}

/** Rows of `newer` in place of those of `older`; what a newer one was not asked for stays as it was. */
export function mergeFigures(older: CompressedFigures, newer: CompressedFigures): CompressedFigures {
  const pairs: Record<string, CompressedRow> = {};
  for (const name of [...new Set([...Object.keys(older.pairs), ...Object.keys(newer.pairs)])].sort()) {
    const [before, now] = [older.pairs[name], newer.pairs[name]];
    if (now === undefined) pairs[name] = before!;
    else {
      const { packed, plain, idealised } = { ...before };
      const kept = { ...(packed && { packed }), ...(plain && { plain }), ...(idealised && { idealised }) };
      pairs[name] = { ...kept, ...now };
    }
  }
  return { pairs };
}
