/** Every instruction set in the list has all traits, and they agree with each other. */
import { describe, expect, it } from 'vitest';
import { REGION_KIND } from '../../../native-free/format/regions.ts';
import type { ElfMachine, InstructionSet } from '../../../native-free/predict/isa/instruction-set.ts';
import { INSTRUCTION_SETS, instructionSetOf } from '../../../native-free/predict/isa/list.ts';
import { random } from '../../support/images.ts';

const nameOf = ({ kind }: InstructionSet): string =>
  Object.entries(REGION_KIND).find(([, number]) => number === kind)?.[0] ?? `number ${kind}`;
const SETS = INSTRUCTION_SETS.map((set) => [nameOf(set), set] as const);

/** What a trait has to be. A trait that is added is added here, or no set has it. */
const TRAITS: { readonly [Trait in keyof InstructionSet]: (set: InstructionSet) => boolean } = {
  kind: ({ kind }) => instructionSetOf(kind) !== null,
  alignment: ({ alignment }) => [1, 2, 4].includes(alignment),
  kinds: ({ kinds }) => kinds >= 2 && kinds <= 16,
  bigEndian: ({ bigEndian }) => typeof bigEndian === 'boolean',
  hasPools: ({ hasPools }) => typeof hasPools === 'boolean',
  nameBits: ({ nameBits }) => nameBits !== 0,
  makeReader: (set) => set.makeReader() !== set.makeReader(),
  makeOperands: (set) => typeof set.makeOperands === 'function',
  absolute: (set) => typeof set.absolute === 'function',
  literals: ({ literals: { by } }) => ['bytes', 'halfwords', 'words', 'instructions'].includes(by),
  signs: ({ signs: { step, blockMin, rarity, reach } }) =>
    [1, 2, 4].includes(step) && Math.min(blockMin, rarity, reach) >= 1,
  addresses: ({ addresses: { widths } }) => widths.length > 0,
  isCodeOf: (set) => typeof set.isCodeOf === 'function',
};

describe('the list of instruction sets', () => {
  it('has each kind of code once', () => {
    const { raw, data64, data32, bss, ...code } = REGION_KIND;
    const kinds = INSTRUCTION_SETS.map(({ kind }) => kind).sort((a, b) => a - b);
    expect(kinds).toEqual(Object.values(code));
    for (const kind of [raw, data64, data32, bss]) expect(instructionSetOf(kind)).toBeNull();
  });

  it('says of one ELF file at most one of them', () => {
    for (let machine = 0; machine < 300; machine++) {
      for (const isLittle of [false, true]) {
        const file: ElfMachine = { machine, flags: 0x00800000, isLittle };
        expect(INSTRUCTION_SETS.filter((set) => set.isCodeOf(file)).length, `machine ${machine}`).toBeLessThanOrEqual(
          1,
        );
      }
    }
  });
});

describe.each(SETS)('%s', (_, set) => {
  it('has all traits', () => {
    for (const [trait, isSound] of Object.entries(TRAITS)) {
      expect(Object.keys(set)).toContain(trait);
      expect(isSound(set), trait).toBe(true);
    }
    expect(Object.keys(set)).toHaveLength(Object.keys(TRAITS).length);
  });

  it('codes each byte of a literal unit once, in an order that its first byte tells', () => {
    for (const most of [2, 4]) {
      if (set.literals.most(0) < most) continue;
      for (let first = 0; first < 256; first++) {
        const order = set.literals.order(most, first);
        expect([...order].sort()).toEqual(Array.from(order, (_, i) => i));
        expect(order.length).toBeLessThanOrEqual(most);
        expect(set.literals.order(most, -1)[0]).toBe(order[0]);
      }
    }
  });

  it('finds its signs, and literals of its pools, without a look behind eight bytes', () => {
    const next = random(3);
    let found = 0;
    for (let i = 0; i < 200_000; i++) {
      const bytes = Uint8Array.from({ length: 16 }, () => next() * 256);
      const other = bytes.slice();
      other.fill(0, 8);
      const place = set.signs.find(bytes, 0);
      if (place !== -1) found++;
      expect(Number.isInteger(place) && place === set.signs.find(other, 0)).toBe(true);
      expect(set.addresses.literalOf(bytes, 0)).toBe(set.addresses.literalOf(other, 0));
    }
    expect(found / 200_000).toBeLessThan(2 / Math.min(set.signs.rarity, 4096));
  });
});
