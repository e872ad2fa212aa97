/**
 * `engraft serve`: the OTA server. The access log goes to stderr; stdout gets the URL, once it listens.
 * @module
 */
import { once } from 'node:events';
import { Command, Option } from 'commander';
import { UpdateError } from '../../../native-free/status.ts';
import { integerOption, note, report, withSignals, type CommonOptions } from '../terminal/frame.ts';
import { packageVersion } from '../version.ts';

interface ServeOptions extends CommonOptions {
  readonly repo: string;
  readonly port: number;
  readonly host: string;
  readonly store?: string;
  readonly database?: string;
  readonly blobs?: string;
  readonly blobRedirect?: boolean;
  readonly rateLimit?: number;
  readonly poll: number;
  readonly publicUrl?: string;
  readonly deviceTokens?: boolean;
  readonly actionTimeout: number;
  readonly trustProxy: readonly string[];
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug';
}

const TOKEN = 'ENGRAFT_MANAGEMENT_TOKEN';
const GATEWAY_TOKEN = 'ENGRAFT_GATEWAY_TOKEN';

/** The command, for the frame. */
export function define(): Command {
  return new Command('serve')
    .description('Serve a repository: signed metadata, payloads, hawkBit DDI for devices, a management API.')
    .requiredOption('--repo <dir>', 'the repository, as publish writes it')
    .option('--port <n>', 'port; 0 takes a free one', integerOption('--port', 0, 65535), 8080)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--store <file>', 'the database (default: server.db in the repository)')
    .option('--database <url>', 'postgres://…, which several servers may share, or a file, as --store')
    .option('--blobs <url>', 's3://bucket/prefix?endpoint=…&region=…: payloads are in an object store')
    .option('--blob-redirect', 'send devices to the object store for them, by links that hold for an hour')
    .option('--rate-limit <bits>', 'bits a second for all payloads together, such as 1M: a slow link', parseRate)
    .option('--poll <s>', 'how often devices shall ask, in seconds', integerOption('--poll', 1, 86_399), 300)
    .option('--public-url <url>', 'how devices reach this server, when it is behind a proxy')
    .option(
      '--action-timeout <h>',
      'hours after which an action is given up that a device fetched and does not report on; 0: never',
      integerOption('--action-timeout', 0, 100_000),
      168,
    )
    .option('--device-tokens', 'devices must show a token')
    .option(
      '--trust-proxy <addresses>',
      "proxies whose X-Forwarded-* headers are believed: addresses, networks or 'loopback', with commas between",
      (text: string) => text.split(',').map((name) => name.trim()),
      [],
    )
    .addOption(
      new Option('--log-level <level>', 'what is logged to stderr')
        .choices(['silent', 'error', 'warn', 'info', 'debug'])
        .default('info'),
    )
    .addHelpText(
      'after',
      `\nEnvironment:\n  ${TOKEN}  opens the management API to this bearer token (closed without)` +
        `\n  ${GATEWAY_TOKEN}     all devices must show this token, or one of their own`,
    )
    .action(serve);
}

/** Throws UpdateError usage_invalid. */
function databaseOf({ store, database }: ServeOptions): string | undefined {
  if (store === undefined || database === undefined) return database ?? store;
  throw new UpdateError('usage_invalid', '--store and --database name the same thing: give one of them');
}

/** 64000, 64k, 1M, 2.5M. Throws UpdateError usage_invalid. */
function parseRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kM]?)$/.exec(text);
  const scale = { '': 1, k: 1000, M: 1_000_000 }[match?.[2] ?? ''] ?? 1;
  const rate = match === null ? NaN : Number(match[1]) * scale;
  if (rate >= 100 && rate <= 1e11) return rate;
  throw new UpdateError('usage_invalid', `--rate-limit must be at least 100 bits a second (64k, 1M), not '${text}'`);
}

async function serve(options: ServeOptions): Promise<void> {
  const { createLogger, createServer } = await import('../../server/index.ts');
  const managementToken = process.env[TOKEN] || undefined;
  const gatewayToken = process.env[GATEWAY_TOKEN] || undefined;
  const server = await createServer({
    repo: options.repo,
    store: databaseOf(options),
    blobs: options.blobs,
    blobRedirect: options.blobRedirect,
    auth: { managementToken, gatewayToken, deviceTokens: options.deviceTokens },
    pollSeconds: options.poll,
    publicUrl: options.publicUrl,
    actionTimeoutHours: options.actionTimeout,
    trustedProxies: options.trustProxy,
    rateLimitBitsPerSecond: options.rateLimit,
    logger: createLogger(options.logLevel),
    version: packageVersion(),
  });
  await withSignals(async (signal) => {
    try {
      const url = await server.listen(options.port, options.host);
      const openDevices = gatewayToken === undefined && options.deviceTokens !== true;
      const facts = { url, repo: options.repo, managementApi: managementToken !== undefined, openDevices };
      report(options, facts, `listening on ${url}`);
      if (managementToken === undefined) note(`the management API is closed: set ${TOKEN} to open it`);
      if (openDevices && !isLoopback(options.host)) note(openText(options.host));
      if (!signal.aborted) await once(signal, 'abort');
    } finally {
      await server.close();
    }
  });
}

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host);

function openText(host: string): string {
  return (
    `warning: whoever reaches ${host} can poll and report as any device that has no token of its own: ` +
    `start with --device-tokens or set ${GATEWAY_TOKEN}, or let a proxy ask for certificates`
  );
}
