/**
 * Cells of the tables of `npm run bench:size`.
 * @module
 */
import { cacheFolder, repositoryRoot } from '../../corpus/index.ts';
import type { Outcome } from '../peers/index.ts';

export const NONE = '–';
export const count = (value: number): string => value.toLocaleString('en');
export const ratio = (value: number | null): string => (value === null ? NONE : value.toFixed(3));
export const seconds = (value: number): string => value.toFixed(2);
export const mib = (bytes: number): string => (bytes === 0 ? NONE : (bytes / 2 ** 20).toFixed(1));
export const bytesOf = (outcome: Outcome | undefined): string =>
  outcome === undefined ? NONE : outcome.state === 'proved' ? count(outcome.bytes) : outcome.state;

/** Words of a program for a cell of a table: one line, no bars, no paths of this machine. */
export const inCell = (words: string): string =>
  words.replaceAll(cacheFolder(), '').replaceAll(repositoryRoot(), '').replace(/\s+/g, ' ').replaceAll('|', '/');
