/** Texts that suffix sorts are tried with. */
import fc from 'fast-check';

/** Every text of up to 9 bytes over 2 values and of up to 6 over 3. */
export function* everyShortText(): Generator<Uint8Array> {
  for (const [values, longest] of [
    [2, 9],
    [3, 6],
  ] as const) {
    for (let length = 1; length <= longest; length++) {
      for (let code = 0; code < values ** length; code++) {
        yield Uint8Array.from({ length }, (_, i) => Math.floor(code / values ** i) % values);
      }
    }
  }
}

/** Random texts over alphabets of any size. */
export const anyText = (maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc
    .integer({ min: 1, max: 256 })
    .chain((values) => fc.array(fc.integer({ min: 0, max: values - 1 }), { maxLength }))
    .map((values) => Uint8Array.from(values));

/** Periodic texts with a disturbance. */
export const periodicText = (unitBytesMax: number, repeatsMax: number): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      fc.uint8Array({ minLength: 1, maxLength: unitBytesMax }),
      fc.integer({ min: 1, max: repeatsMax }),
      fc.nat(),
      fc.nat(255),
    )
    .map(([unit, repeats, at, value]) => {
      const bytes = Uint8Array.from({ length: unit.length * repeats }, (_, i) => unit[i % unit.length]!);
      bytes[at % bytes.length] = value;
      return bytes;
    });
