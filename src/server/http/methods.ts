/**
 * What an address answers to methods that it has no handler for: 405 and which it has, never 404, and never the
 * framework's guess.
 * @module
 */
import type { Hono } from 'hono';
import { UpdateError } from '../../../native-free/status.ts';
import { withHttpStatus } from '../problem.ts';

/** Call last: completes every address that has a handler by now. */
export function refuseOtherMethods(app: Hono): void {
  const byPath = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method === 'ALL') continue;
    const methods = byPath.get(path) ?? new Set(['OPTIONS']);
    methods.add(method);
    if (method === 'GET') methods.add('HEAD');
    byPath.set(path, methods);
  }
  for (const [path, methods] of byPath) {
    const allow = [...methods].sort().join(', ');
    app.all(path, (context) => {
      const { method } = context.req;
      if (method === 'OPTIONS') return context.body(null, 204, { Allow: allow });
      const error = new UpdateError('usage_invalid', `this address takes ${allow}, not ${method.slice(0, 20)}`);
      throw withHttpStatus(error, 405, { Allow: allow });
    });
  }
}
