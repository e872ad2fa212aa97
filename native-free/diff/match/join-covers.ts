/**
 * Joining the covers of separately searched windows into the one list of the image.
 * @module
 */
import { coverListOf, type Cover, type CoverList } from '../../format/cover.ts';
import { LIMITS } from '../../limits.ts';
import { UpdateError } from '../../status.ts';

/**
 * The covers of all windows as one list in target order without overlap in the target.
 *
 * Windows must be in target order, and the covers within each by target offset. A cover that begins inside its
 * predecessor loses that part; neighbours without a gap and with the same displacement become one. If more than
 * `coversMax` remain, the shortest are dropped, of equally short ones the later: their bytes become literals.
 * @throws UpdateError usage_invalid for covers out of order or of impossible numbers
 */
export function joinCovers(windows: readonly (readonly Cover[])[], coversMax: number = LIMITS.covers_max): CoverList {
  const joined: Cover[] = [];
  for (const window of windows) for (const cover of window) append(joined, cover);
  return coverListOf(joined.length > coversMax ? longest(joined, coversMax) : joined);
}

function append(joined: Cover[], cover: Cover): void {
  const { sourceOffset, targetOffset, length } = cover;
  const isPossible = [sourceOffset, targetOffset, length].every((value) => Number.isSafeInteger(value) && value >= 0);
  const last = joined.at(-1);
  if (!isPossible || (last !== undefined && targetOffset < last.targetOffset)) {
    throw new UpdateError(
      'usage_invalid',
      `cover ${sourceOffset}, ${targetOffset}, ${length} is impossible or out of order`,
      {
        detail: { ...cover },
      },
    );
  }
  const lastEnd = last === undefined ? 0 : last.targetOffset + last.length;
  const lost = Math.max(0, lastEnd - targetOffset);
  if (length <= lost) return;
  const rest = { sourceOffset: sourceOffset + lost, targetOffset: targetOffset + lost, length: length - lost };
  const isContinued =
    last !== undefined &&
    lastEnd === rest.targetOffset &&
    last.sourceOffset - last.targetOffset === rest.sourceOffset - rest.targetOffset;
  if (isContinued) joined[joined.length - 1] = { ...last, length: last.length + rest.length };
  else joined.push(rest);
}

/** The `count` longest covers, in target order; of equally long ones the earlier. */
function longest(covers: readonly Cover[], count: number): Cover[] {
  if (count <= 0) return [];
  const lengths = Float64Array.from(covers, (cover) => cover.length).sort();
  const shortest = lengths[lengths.length - count]!;
  let atShortest = count;
  for (const length of lengths) if (length > shortest) atShortest--;
  return covers.filter((cover) => cover.length > shortest || (cover.length === shortest && atShortest-- > 0));
}
