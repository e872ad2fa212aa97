/**
 * A lint rule: intervals are measured on a clock that nobody sets.
 *
 * A device gets its time after it has booted, and a correction of two hours in the middle of `Date.now() - begun` silences
 * a deadline for two hours, or ends it at once. So the wall clock may be asked what time it is, and its answer may be
 * kept, sent and shown; it may not be reckoned with. Files that make a clock, or whose subject is the time of the day, are
 * named in eslint.config.js, each with its reason; `sources` lets a file ask and still not reckon.
 *
 * Found are (1) `Date.now` and `new Date()`, which go past the injected clock, and (2) what came from a `now()` being
 * added, subtracted or compared, at once or by way of a variable.
 */

const RECKONING = new Set(['-', '+', '<', '>', '<=', '>=', '-=', '+=']);

const isDateNow = (node) =>
  node.type === 'MemberExpression' &&
  node.object.type === 'Identifier' &&
  node.object.name === 'Date' &&
  node.property.name === 'now';

/** `clock.now()`, `this.#now()`, `now()`; not `performance.now()`. */
function asksWallClock(node) {
  if (node?.type === 'NewExpression') return node.callee.name === 'Date' && node.arguments.length === 0;
  if (node?.type !== 'CallExpression') return false;
  const { callee } = node;
  if (callee.type === 'Identifier') return callee.name === 'now';
  if (callee.type !== 'MemberExpression') return false;
  if (callee.property.name === 'getTime') return asksWallClock(callee.object);
  return callee.property.name === 'now' && callee.object.name !== 'performance';
}

function comesFromWallClock(node, scope) {
  if (asksWallClock(node)) return true;
  if (node.type !== 'Identifier') return false;
  for (let at = scope; at !== null; at = at.upper) {
    const variable = at.set.get(node.name);
    if (variable === undefined) continue;
    return variable.defs.some(({ node: definition }) => asksWallClock(definition.init ?? null));
  }
  return false;
}

export const wallClockRule = {
  meta: {
    type: 'problem',
    schema: [{ enum: ['sources'] }],
    messages: {
      source: 'This goes past the injected clock. Take clock.now() for a date, clock.monotonicMs() for an interval.',
      interval: 'An interval on the wall clock breaks when somebody sets it. Take monotonicMs().',
    },
  },
  create(context) {
    const mayAsk = context.options[0] === 'sources';
    const source = (node) => void (mayAsk || context.report({ node, messageId: 'source' }));
    const check = (node, ...operands) => {
      const scope = context.sourceCode.getScope(node);
      if (!RECKONING.has(node.operator)) return;
      // Text that is put together is not reckoned with.
      if (operands.some((each) => each.type === 'TemplateLiteral' || typeof each.value === 'string')) return;
      if (operands.some((each) => comesFromWallClock(each, scope))) context.report({ node, messageId: 'interval' });
    };
    return {
      MemberExpression: (node) => isDateNow(node) && source(node),
      NewExpression: (node) => asksWallClock(node) && source(node),
      BinaryExpression: (node) => check(node, node.left, node.right),
      AssignmentExpression: (node) => check(node, node.left, node.right),
    };
  },
};
