/**
 * What a header says of fills, for people and programs.
 *
 * @module
 */
import type { FillMap } from '../../../native-free/format/fill-map.ts';
import type { PayloadHeader } from '../../../native-free/format/payload-header.ts';
import { formatCount, formatCounted } from '../terminal/text.ts';

const factsOf = ({ count, imageBytes, denseBytes }: FillMap) => ({ count, bytes: imageBytes - denseBytes });

/** How many fills both images have, and of how many bytes. */
export const fillFacts = ({ fills }: PayloadHeader) => ({
  source: factsOf(fills.source),
  target: factsOf(fills.target),
});

/** What an image has in fills; nothing if it has none. */
export function fillText(map: FillMap): string {
  const { count, bytes } = factsOf(map);
  return count === 0 ? '' : ` (${formatCount(bytes)} of them in ${formatCounted(count, 'fill')})`;
}
