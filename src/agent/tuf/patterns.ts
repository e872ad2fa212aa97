/**
 * Path patterns of delegations (specification, 4.5): `*` stands for any characters but a slash, `?` for one of them,
 * `[abc]`, `[a-z]` and `[!a]` for one of or none of a set; everything else for itself, upper and lower case apart.
 *
 * Nothing more: braces, `**`, leading `!` and `#`, which wider matchers know, are characters like any other. A pattern
 * decides who may speak for a path, and must not mean more than its author was told it does.
 * @module
 */

/** True when the pattern matches all of `path`, part by part. */
export function matchesPattern(path: string, pattern: string): boolean {
  const [parts, patterns] = [path.split('/'), pattern.split('/')];
  return parts.length === patterns.length && parts.every((part, i) => matchesPart(part, patterns[i]!));
}

/** One `*` is tried at a time, the last one met: time is at most the product of both lengths. */
function matchesPart(text: string, pattern: string): boolean {
  const [signs, tokens] = [[...text], tokensOf(pattern)];
  let [at, token] = [0, 0];
  let retry: { readonly token: number; at: number } | null = null;
  while (at < signs.length) {
    const wanted = tokens[token];
    if (wanted === '*') {
      retry = { token: ++token, at };
    } else if (wanted !== undefined && wanted(signs[at]!)) {
      at++;
      token++;
    } else if (retry !== null) {
      at = ++retry.at;
      token = retry.token;
    } else return false;
  }
  return tokens.slice(token).every((left) => left === '*');
}

type Token = '*' | ((sign: string) => boolean);

function tokensOf(pattern: string): Token[] {
  const signs = [...pattern];
  const tokens: Token[] = [];
  for (let i = 0; i < signs.length; i++) {
    const sign = signs[i]!;
    const end = sign === '[' ? endOfSet(signs, i) : -1;
    if (sign === '*') tokens.push('*');
    else if (sign === '?') tokens.push(() => true);
    else if (end > 0) {
      tokens.push(setOf(signs.slice(i + 1, end)));
      i = end;
    } else tokens.push((other) => other === sign);
  }
  return tokens;
}

/** Where the `]` of a set is, or -1: then the bracket is itself. A `]` that comes first belongs to the set. */
function endOfSet(signs: readonly string[], start: number): number {
  const first = start + (signs[start + 1] === '!' ? 2 : 1);
  return signs.indexOf(']', first + 1);
}

function setOf(signs: readonly string[]): (sign: string) => boolean {
  const isNegated = signs[0] === '!';
  const members = isNegated ? signs.slice(1) : signs;
  const tests: ((sign: string) => boolean)[] = [];
  for (let i = 0; i < members.length; i++) {
    const from = members[i]!;
    const to = members[i + 1] === '-' ? members[i + 2] : undefined;
    if (to !== undefined) {
      tests.push((sign) => sign >= from && sign <= to);
      i += 2;
    } else tests.push((sign) => sign === from);
  }
  return (sign) => tests.some((test) => test(sign)) !== isNegated;
}
