/**
 * Decoders of units with one thing wrong, each a replacement in the source text: fuzz and tests have to notice every one.
 * @module
 */
import type { Edit } from '../mutants/mutants.ts';

export interface PlantedBug extends Edit {
  readonly name: string;
}

const UNPACK = 'native-free/unpack';
const APPLY = 'native-free/apply';

export const PLANTED: readonly PlantedBug[] = [
  {
    name: 'matches may reach before the start',
    file: `${UNPACK}/content-buffer.ts`,
    from: 'if (distance === 0 || distance > this.length)',
    to: 'if (distance === 0)',
  },
  {
    name: 'the fast loop of deflate is off by one in how far back is known',
    file: `${UNPACK}/deflate/inflate.ts`,
    from: 'if (distance > size) malformed(',
    to: 'if (distance > size + 1) malformed(',
  },
  {
    name: 'a unit may have other content than its map says',
    file: `${UNPACK}/unit-codec.ts`,
    from: 'if (content.length !== sizes.contentBytes || packedBytes',
    to: 'if (packedBytes',
  },
  {
    name: 'what was said of tokens goes on into the next segment',
    file: `${UNPACK}/token-coder/token-coder.ts`,
    from: '    this.#sinceMiss = 0;\n    this.#surprises.reset();',
    to: '    this.#surprises.reset();',
  },
  {
    name: 'groups that were trusted stay so in the next segment',
    file: `${UNPACK}/token-coder/token-coder.ts`,
    from: '    this.#trust.fill(TRUST_FIRST);',
    to: '    if (this.#trust[0] === 0) this.#trust.fill(TRUST_FIRST);',
  },
  {
    name: 'recent distances of the last segment are those of the next one',
    file: `${UNPACK}/token-coder/token-coder.ts`,
    from: '    this.#recent.start(rules.reps);',
    to: '    if (this.#recent.count !== rules.reps.length) this.#recent.start(rules.reps);',
  },
  {
    name: 'a token coder does not begin a segment at all',
    file: `${APPLY}/unit-segment-decoder.ts`,
    from: '    this.#replay.reset();\n',
    to: '',
  },
  {
    name: 'history is a byte short',
    file: `${UNPACK}/segment/parts.ts`,
    from: 'contentBytes - HISTORY_BYTES;',
    to: 'contentBytes - HISTORY_BYTES + 1;',
  },
  {
    name: 'the last bits of a part are left out',
    file: `${UNPACK}/source/unit-cache.ts`,
    from: 'continues === true ? 1 : 0',
    to: 'continues === true ? 0 : 0',
  },
  {
    name: 'segments may end within a unit',
    file: `${APPLY}/unit-segment-decoder.ts`,
    from: 'if (unit === end || layout.extentOf(unit).start >= border) continue;',
    to: 'if (border >= 0) continue;',
  },
  {
    name: 'pieces may be empty',
    file: `${UNPACK}/map/virtual-layout.ts`,
    from: 'if (length < 1) badMap',
    to: 'if (length < 0) badMap',
  },
  {
    name: 'skips may be as close as they like',
    file: `${UNPACK}/map/virtual-layout.ts`,
    from: 'if (offset < least || length < 1) badMap',
    to: 'if (length < 1) badMap',
  },
  {
    name: 'skips may leave the image',
    file: `${UNPACK}/map/virtual-layout.ts`,
    from: 'if (offset + length > imageBytes) badMap',
    to: 'if (offset + length < 0) badMap',
  },
  {
    name: 'any codec is taken for known',
    file: `${APPLY}/unit-segment-decoder.ts`,
    from: 'for (const { codec } of units) codecOf(codec);',
    to: 'void units;',
  },
  {
    name: 'a segment goes out without its digest',
    file: `${APPLY}/patcher.ts`,
    from: "  if (bytesEqual(digest, expected)) return;\n  throw new UpdateError('segment_digest'",
    to: "  if (bytesEqual(digest, digest)) return;\n  throw new UpdateError('segment_digest'",
  },
];
