/** What a payload costs a class of devices, and which one it is to get. */
import { describe, expect, it } from 'vitest';
import type { Profile } from '../../../native-free/format/profile.ts';
import {
  choosePayload,
  pays,
  priceOf,
  type DeviceClass,
  type PricedPayload,
} from '../../../src/release/pricing/price.ts';
import { pricedDelta } from '../../../src/release/pricing/priced-delta.ts';
import type { PayloadResult } from '../../../src/release/payload-maker.ts';

const TARGET = 10_289_264;
const full: PricedPayload = {
  ...{ kind: 'full', profile: 'small', payloadBytes: 3_500_000, targetBytes: TARGET, decoderWork: 0 },
};
const delta = (profile: Profile, payloadBytes: number, decoderWork: number): PricedPayload => ({
  ...{ kind: 'delta', profile, payloadBytes, targetBytes: TARGET, decoderWork },
});
const small = delta('small', 73_618, 35);
const fast = delta('fast', 88_308, 31);
const device = (cpu: number, linkBits: number): DeviceClass => ({ cpu, linkBits });

describe('the price of a payload', () => {
  it('is the time of its bytes on the link, and of its work on the core', () => {
    expect(priceOf(small, device(1, 1e6)).download).toBeCloseTo(0.589, 3);
    const { decode } = priceOf(small, device(1, 1e6));
    expect(priceOf(small, device(0.1, 1e6)).decode).toBeCloseTo(10 * decode, 6);
    expect(priceOf(fast, device(1, 1e6)).decode).toBeLessThan(0.75 * decode);
    expect(priceOf(full, device(1, 1e6)).decode).toBeLessThan(priceOf(fast, device(1, 1e6)).decode);
  });

  it.each([device(0, 1e6), device(-1, 1e6), device(1, 0), device(NaN, 1e6), device(1, NaN)])(
    'is not asked for devices that are none: %o',
    (none) => {
      expect(() => priceOf(small, none)).toThrow(expect.objectContaining({ code: 'usage_invalid' }));
    },
  );
});

describe('what devices of a class are to get', () => {
  it('is the fewest bytes on a slow link, whatever the core', () => {
    expect(choosePayload(full, [fast, small], device(1, 1e6))).toBe(small);
    expect(choosePayload(full, [small, fast], device(0.1, 250e3))).toBe(small);
  });

  it('is what decodes sooner where the fewest bytes would take longer than the download that they replace', () => {
    expect(choosePayload(full, [small, fast], device(0.03, 1e6))).toBe(fast);
  });

  it('is the full payload where no delta is worth its time, and where there is none', () => {
    expect(choosePayload(full, [small, fast], device(0.01, 1e9))).toBe(full);
    expect(choosePayload(full, [], device(1, 1e6))).toBe(full);
  });

  it('never takes more CPU time than the download that it replaces', () => {
    for (let cpu = 0.005; cpu < 4; cpu *= 1.3) {
      for (let linkBits = 1e4; linkBits < 1e10; linkBits *= 1.7) {
        const chosen = choosePayload(full, [small, fast], { cpu, linkBits });
        if (chosen === full) continue;
        const replaced = priceOf(full, { cpu, linkBits }).download;
        const { download, decode } = priceOf(chosen, { cpu, linkBits });
        expect(download + decode).toBeLessThanOrEqual(replaced);
      }
    }
  });

  it('is no delta of as many bytes as the full payload', () => {
    expect(pays({ ...small, payloadBytes: full.payloadBytes }, full, device(1000, 1))).toBe(false);
  });
});

describe('a delta whose profile devices decide', () => {
  const made: Profile[] = [];
  const make = (profile: Profile): Promise<PayloadResult> => {
    made.push(profile);
    return Promise.resolve({ header: profile === 'small' ? small : fast } as PayloadResult);
  };
  const forDevice = async (on: DeviceClass): Promise<readonly Profile[]> => {
    made.length = 0;
    const { header } = await pricedDelta(make, full.payloadBytes, on);
    expect(header.profile).toBe(made.at(-1));
    return made;
  };

  it('is made once where the fewest bytes pay, else a second time', async () => {
    expect(await forDevice(device(1, 1e6))).toEqual(['small']);
    expect(await forDevice(device(0.03, 1e6))).toEqual(['small', 'fast']);
  });

  it('is refused where none pays', async () => {
    await expect(forDevice(device(0.01, 1e9))).rejects.toMatchObject({ code: 'delta_not_smaller' });
  });
});
