/**
 * Joining the covers of separately searched windows into the one list of the image.
 * @module
 */
import { coverAt, coversWhere, emptyCoverList, setCover, type Cover, type CoverList } from '../../format/cover.ts';
import { LIMITS } from '../../limits.ts';
import { UpdateError } from '../../status.ts';

/**
 * The covers of all windows as one list in target order without overlap in the target.
 *
 * Windows must be in target order, and the covers within each by target offset. A cover that begins inside its
 * predecessor loses that part; neighbours without a gap and with the same displacement become one. If more than
 * LIMITS.covers_max remain, the shortest are dropped, of equally short ones the later: their bytes become literals.
 * @throws UpdateError usage_invalid for covers out of order or of impossible numbers
 */
export function joinCovers(windows: readonly CoverList[]): CoverList {
  const joined = emptyCoverList(windows.reduce((sum, { count }) => sum + count, 0));
  let count = 0;
  for (const window of windows)
    for (let i = 0; i < window.count; i++) count = append(joined, count, coverAt(window, i));
  const list = coversWhere(joined, (i) => i < count);
  return count > LIMITS.covers_max ? longest(list, LIMITS.covers_max) : list;
}

/** Puts a cover behind the first `count` ones; returns how many there are then. */
function append(joined: CoverList, count: number, cover: Cover): number {
  const { sourceOffset, targetOffset, length } = cover;
  const isPossible = [sourceOffset, targetOffset, length].every((value) => Number.isSafeInteger(value) && value >= 0);
  const last = count === 0 ? { sourceOffset: 0, targetOffset: 0, length: 0 } : coverAt(joined, count - 1);
  if (!isPossible || targetOffset < last.targetOffset) {
    throw new UpdateError(
      'usage_invalid',
      `cover ${sourceOffset}, ${targetOffset}, ${length} is impossible or out of order`,
      { detail: { ...cover } },
    );
  }
  const lost = Math.max(0, last.targetOffset + last.length - targetOffset);
  if (length <= lost) return count;
  const rest = { sourceOffset: sourceOffset + lost, targetOffset: targetOffset + lost, length: length - lost };
  const isContinued =
    count > 0 &&
    last.targetOffset + last.length === rest.targetOffset &&
    last.sourceOffset - last.targetOffset === rest.sourceOffset - rest.targetOffset;
  if (isContinued) joined.length[count - 1]! += rest.length;
  else setCover(joined, count, rest);
  return isContinued ? count : count + 1;
}

/** The `count` longest covers, in target order; of equally long ones the earlier. */
function longest(covers: CoverList, count: number): CoverList {
  const lengths = covers.length.slice().sort();
  const shortest = count <= 0 ? Infinity : lengths[lengths.length - count]!;
  let atShortest = count;
  for (const length of lengths) if (length > shortest) atShortest--;
  return coversWhere(covers, (i) => {
    const length = covers.length[i]!;
    return length > shortest || (length === shortest && atShortest-- > 0);
  });
}
