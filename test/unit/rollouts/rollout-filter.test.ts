import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFilter, type Filtered } from '../../../src/server/rollouts/filter.ts';

const device: Filtered = {
  ...{ controllerId: 'lab-7', product: 'cam', hardware: 'v1', version: '1.0' },
  attributes: { region: 'eu-west', 'site name': 'Basel; "new"', empty: '' },
};

describe('a filter of devices', () => {
  it.each([
    ['product==cam', true],
    ['product == cam', true],
    ['product!=cam', false],
    ['controllerid==lab-7', true],
    ['version=in=(1.0,1.1)', true],
    ['version=out=(1.0,1.1)', false],
    ['version=in=( "1.0" )', true],
    ['attribute.region==eu*', true],
    ['attribute.region==*west', true],
    ['attribute.region==e*-*t', true],
    ['attribute.region==eu-west*west', false],
    ['attribute.region==*', true],
    ['attribute.region=in=(eu*)', false],
    ['attribute.none==*', false],
    ['attribute.none!=x', true],
    ['attribute.empty==""', true],
    ['attribute.toString==*', false],
    ['product==cam;version==2.0', false],
    ['product==cam,version==2.0', true],
    ['product==x,product==cam;version==1.0', true],
    ['(product==x,product==cam);version==2.0', false],
    [`controllerId=='lab-7'`, true],
    [`controllerId=="lab\\-7"`, true],
  ])('%s is %s', (text, expected) => {
    expect(parseFilter(text)(device)).toBe(expected);
  });

  it.each([
    ['', 1],
    ['product', 8],
    ['product=cam', 8],
    ['nothing==x', 1],
    ['attribute.==x', 1],
    ['product==', 10],
    ['product=="cam', 10],
    ['product==cam;', 14],
    ['product==cam)', 13],
    ['(product==cam', 14],
    ['version=in=1.0', 12],
    ['version=in=(1.0', 16],
    ['product==cam version==1', 14],
  ])('%s is refused, with the place', (text, at) => {
    const where = at > text.length ? 'at its end' : `at character ${at}`;
    expect(() => parseFilter(text)).toThrow(expect.objectContaining({ code: 'usage_invalid' }));
    expect(() => parseFilter(text)).toThrow(where);
  });

  it('has bounds', () => {
    expect(() => parseFilter(`product==${'x'.repeat(5000)}`)).toThrow(
      expect.objectContaining({ code: 'limit_exceeded' }),
    );
    expect(() => parseFilter(`${'('.repeat(40)}product==x${')'.repeat(40)}`)).toThrow('too many parentheses');
    const slow = `attribute.region==${'a*'.repeat(1000)}b`;
    expect(parseFilter(slow)({ ...device, attributes: { region: 'a'.repeat(1000) } })).toBe(false);
  });

  it('of any text is read or refused with a code', () => {
    const pieces = fc.constantFrom(
      'product',
      '==',
      '!=',
      '=in=',
      '(',
      ')',
      ';',
      ',',
      '"',
      "'",
      'cam',
      '*',
      ' ',
      '\\',
      'attribute.a',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        try {
          expect(typeof parseFilter(parts.join(''))(device)).toBe('boolean');
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage_invalid' });
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('finds a value that is written with quotes, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), (value) => {
        const quoted = `"${value.replace(/["\\*]/g, (char) => `\\${char}`)}"`;
        const own = { ...device, attributes: { a: value } };
        expect(parseFilter(`attribute.a=in=(${quoted})`)(own)).toBe(true);
        expect(parseFilter(`attribute.a=out=(${quoted})`)(own)).toBe(false);
      }),
    );
  });
});
