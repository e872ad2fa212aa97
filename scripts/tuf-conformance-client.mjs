#!/usr/bin/env node
/**
 * The client for the TUF project's conformance suite (github.com/theupdateframework/tuf-conformance):
 * `pytest tuf_conformance --entrypoint scripts/tuf-conformance-client.mjs` in a checkout of the suite. Needs a build.
 *
 * It is `engraft-agent tuf`, but for the exit code: the suite knows 0 and 1.
 */
process.argv.splice(2, 0, 'tuf');
process.on('exit', (code) => {
  if (code !== 0) process.exitCode = 1;
});
await import('../dist/src/cli/engraft-agent.js');
