/**
 * What the tokens of the source say about those of a target unit.
 *
 * A compressor that meets the same bytes in the same surroundings makes the same tokens. So the token expected at a place
 * is the one that begins at the aligned place of the source, with its distance taken through the alignment where its
 * match lies in another run, and with as long a length as there is, if the source's was.
 * @module
 */
import { firstWhere } from '../../search.ts';
import type { AlignedRun, TokenRules } from '../unit-codec.ts';
import { OP } from '../tokens.ts';
import { BYTES_A_STEP, matchLength } from './match-finder.ts';
import { RunsBySource } from './runs.ts';
import type { RecentDistances } from './recent-distances.ts';

/** How much is known at a place. */
export const KNOWN = { nothing: 0, outOfStep: 1, literal: 2, lostMatch: 3, match: 4 } as const;

/** What makes a match of the source's another one here: bits of `changes`. */
const CHANGE = { mapped: 1, kept: 2, sameDistance: 4, maximal: 8, sameLength: 16 } as const;

/** Where a guide stands, to be gone back to. */
interface GuidePlace {
  run: number;
  token: number;
  equalFrom: number;
  equalTo: number;
}

export class SourceGuide {
  /** What is expected at the place that was looked at; only with `known` literal or match. */
  op = 0;
  length = 0;
  distance = 0;
  known: number = KNOWN.nothing;
  /** The op of the source's token, or 7 where there is none. */
  sourceOp = 7;
  changes = 0;
  /** All that the token depends on in content is as in the source. */
  safe = false;
  /** Target bytes [equalFrom, equalTo) are known to be equal to the source's, within the run. */
  equalFrom = 0;
  equalTo = 0;
  /** From the place to where the next two tokens of the source begin; 0 if that is not known. */
  next = 0;
  second = 0;
  steps = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #rules: TokenRules | null = null;
  #runs: readonly AlignedRun[] = [];
  readonly #bySource = new RunsBySource();
  #run = -1;
  #token = 0;
  readonly #mark: GuidePlace = { run: -1, token: 0, equalFrom: 0, equalTo: 0 };

  start(bytes: Uint8Array, rules: TokenRules, runs: readonly AlignedRun[]): void {
    this.#bytes = bytes;
    this.#rules = rules;
    this.#runs = runs;
    this.#bySource.start(runs);
    this.#run = -1;
    this.equalFrom = 0;
    this.equalTo = 0;
  }

  mark(): void {
    const mark = this.#mark;
    mark.run = this.#run;
    mark.token = this.#token;
    mark.equalFrom = this.equalFrom;
    mark.equalTo = this.equalTo;
  }

  goBack(): void {
    const mark = this.#mark;
    this.#run = mark.run;
    this.#token = mark.token;
    this.equalFrom = mark.equalFrom;
    this.equalTo = mark.equalTo;
  }

  /** Finds out what is expected at `at`, which is never less than in the call before, but for `goBack`. */
  look(at: number, recent: RecentDistances): void {
    this.known = KNOWN.nothing;
    this.sourceOp = 7;
    this.changes = 0;
    this.safe = false;
    this.next = 0;
    this.second = 0;
    const run = this.#runAt(at);
    if (run === undefined) return;
    const { source } = run;
    const { tokens } = source;
    const place = run.from + at - run.at;
    let k = this.#token;
    while (k < tokens.count && tokens.startAt(k) < place) k++;
    this.#token = k;
    this.#pass(run, at);
    const inStep = tokens.startAt(k) === place ? 1 : 0;
    if (k + inStep <= tokens.count) this.next = tokens.startAt(k + inStep) - place;
    if (k + inStep < tokens.count) this.second = tokens.startAt(k + inStep + 1) - place;
    this.known = KNOWN.outOfStep;
    if (k === tokens.count || inStep === 0) return;
    const op = tokens.opAt(k);
    this.sourceOp = op;
    if (op === OP.literal) {
      this.known = KNOWN.literal;
      this.op = op;
      this.length = 1;
      this.distance = 0;
      this.safe = true;
    } else this.#match(run, place, at, tokens.lengthAt(k), tokens.distanceAt(k), recent);
  }

  /** Bytes from `at` on, up to `max`, that are as in the source. */
  ahead(at: number, max: number): number {
    const run = this.#runs[this.#run];
    if (run === undefined || at < run.at || at >= run.at + run.length) return 0;
    return this.#ahead(run, at, max);
  }

  #ahead(run: AlignedRun, at: number, max: number): number {
    const bytes = this.#bytes;
    const sourceBytes = run.source.bytes;
    const shift = run.from - run.at;
    const end = Math.min(at + max, bytes.length, sourceBytes.length - shift);
    let to = this.equalTo;
    while (to < end && bytes[to] === sourceBytes[to + shift]) to++;
    this.equalTo = to;
    return Math.min(to, end) - at;
  }

  /** The run that `at` lies in. */
  #runAt(at: number): AlignedRun | undefined {
    const runs = this.#runs;
    let run = this.#run < 0 ? undefined : runs[this.#run];
    if (run !== undefined && at < run.at + run.length) return run;
    let next = this.#run + 1;
    while (next < runs.length && runs[next]!.at + runs[next]!.length <= at) next++;
    if (next === runs.length || runs[next]!.at > at) return undefined;
    run = runs[next]!;
    this.#run = next;
    this.equalFrom = run.at;
    this.equalTo = run.at;
    const { tokens } = run.source;
    const place = run.from + at - run.at;
    this.#token = firstWhere(0, tokens.count, (token) => tokens.startAt(token) >= place);
    return run;
  }

  /** Compares bytes up to `at`. */
  #pass(run: AlignedRun, at: number): void {
    const bytes = this.#bytes;
    const sourceBytes = run.source.bytes;
    const shift = run.from - run.at;
    for (let i = this.equalTo; i < at; i++) if (bytes[i] !== sourceBytes[i + shift]) this.equalFrom = i + 1;
    if (this.equalTo < at) this.equalTo = at;
  }

  #match(run: AlignedRun, place: number, at: number, length: number, distance: number, recent: RecentDistances): void {
    const { matchMin, matchMax, hasShortRep } = this.#rules!;
    if (at - distance >= this.equalFrom && this.#ahead(run, at, length + 1) > length) {
      this.safe = true;
      this.changes = CHANGE.mapped | CHANGE.sameDistance | CHANGE.sameLength;
      this.#expect(length, distance, recent);
      return;
    }
    const sourceBytes = run.source.bytes;
    const maximal =
      length >= matchMax ||
      place + length >= sourceBytes.length ||
      sourceBytes[place + length] !== sourceBytes[place + length - distance];
    const max = Math.min(this.#bytes.length - at, maximal ? matchMax : length);
    const mapped = this.#mapped(run, place - distance, at);
    let best = mapped === 0 ? 0 : matchLength(this.#bytes, at, mapped, max);
    let taken = mapped;
    this.changes = mapped === 0 ? 0 : CHANGE.mapped;
    if (best < length && distance !== mapped && distance <= at) {
      const kept = matchLength(this.#bytes, at, distance, max);
      this.steps += kept / BYTES_A_STEP;
      if (kept > best) {
        best = kept;
        taken = distance;
        this.changes = CHANGE.kept;
      }
    }
    this.steps += 1 + best / BYTES_A_STEP;
    this.known = KNOWN.lostMatch;
    if (best < (hasShortRep && length === 1 ? 1 : matchMin)) return;
    if (taken === distance) this.changes |= CHANGE.sameDistance;
    if (maximal) this.changes |= CHANGE.maximal;
    if (best === length) this.changes |= CHANGE.sameLength;
    this.#expect(best, taken, recent);
  }

  #expect(length: number, distance: number, recent: RecentDistances): void {
    const { matchMin, matchMax, distanceMax, hasShortRep } = this.#rules!;
    const isShort = hasShortRep && length === 1 && recent.distance[0] === distance;
    this.known = KNOWN.lostMatch;
    // The source's unit may be of another codec, which can say more.
    if (!isShort && (length < matchMin || length > matchMax || distance > distanceMax)) return;
    this.known = KNOWN.match;
    this.length = length;
    this.distance = distance;
    this.op = isShort ? OP.shortRep : recent.opOf(distance);
  }

  /** The distance from `at` to where a match's source byte went; 0 if that is not known, or not before. */
  #mapped(run: AlignedRun, place: number, at: number): number {
    let found = run;
    if (place < run.from || place >= run.from + run.length) {
      const other = this.#bySource.find(this.#run, place);
      if (other < 0) return 0;
      found = this.#runs[other]!;
    }
    const distance = at - (found.at + place - found.from);
    return distance > 0 && distance <= this.#rules!.distanceMax ? distance : 0;
  }
}
