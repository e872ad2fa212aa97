/**
 * Packages of registries, fetched once a run and thrown away after it: npm's through `npm pack`, Debian's through
 * `apt-get download` with an apt state of our own.
 *
 * The private apt state is what lets any Debian or Ubuntu machine, of any processor, without root and without
 * `dpkg --add-architecture`, fetch arm64 and armhf packages of two Debian releases.
 * @module
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UpdateError } from '../native-free/status.ts';
import { cacheFolder, type DebianOrigin } from './manifest.ts';
import { run } from './run.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const SUITES = [
  ['debian', 'bookworm'],
  ['debian', 'bookworm-updates'],
  ['debian-security', 'bookworm-security'],
  ['debian', 'trixie'],
  ['debian', 'trixie-updates'],
  ['debian-security', 'trixie-security'],
] as const;

/** Fetches each package at most once; `close` removes them. */
export class Packages {
  readonly #files = new Map<string, Promise<string>>();
  #folder: Promise<string> | undefined;

  /** Path of a fetched npm package (a gzipped tar). `spec` is NAME@VERSION. */
  npm(spec: string): Promise<string> {
    return this.#once(`npm ${spec}`, async (folder) => {
      const args = ['pack', spec, '--silent', '--ignore-scripts', '--pack-destination', folder];
      const printed = (await run('npm', args, { cwd: folder })).toString().trim().split('\n');
      return join(folder, printed[printed.length - 1]!);
    });
  }

  /** Path of a fetched Debian package. */
  debian(origin: DebianOrigin): Promise<string> {
    const { deb, version, architecture } = origin;
    return this.#once(`deb ${deb}=${version}/${architecture}`, async (folder) => {
      const env = await this.#aptState(architecture);
      const download = run('apt-get', ['-q', 'download', `${deb}=${version}`], { cwd: folder, env });
      if (origin.pool === undefined) await download;
      else await download.catch(() => fetchFile(origin.pool!, join(folder, `${deb}_${version}.deb`)));
      const files = await readdir(folder);
      const found = files.find((file) => file.startsWith(`${deb}_`) && file.endsWith('.deb'));
      if (found === undefined) throw new UpdateError('link_failed', `apt-get downloaded no file for ${deb}=${version}`);
      return join(folder, found);
    });
  }

  /** Remove everything that was fetched. */
  async close(): Promise<void> {
    if (this.#folder !== undefined) await rm(await this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
    this.#files.clear();
  }

  #once(key: string, fetch: (folder: string) => Promise<string>): Promise<string> {
    let file = this.#files.get(key);
    if (file === undefined) {
      file = this.#newFolder().then(fetch);
      this.#files.set(key, file);
    }
    return file;
  }

  async #newFolder(): Promise<string> {
    this.#folder ??= mkdir(cacheFolder(), { recursive: true }).then(() => mkdtemp(join(cacheFolder(), 'packages-')));
    return mkdtemp(join(await this.#folder, 'p-'));
  }

  /** The environment of apt-get for an architecture; indexes are fetched once a run. */
  async #aptState(architecture: string): Promise<NodeJS.ProcessEnv> {
    const config = await this.#once(`apt ${architecture}`, async (folder) => {
      if (!existsSync(KEYRING))
        throw new UpdateError('link_failed', `${KEYRING} is missing: Debian packages cannot be checked`);
      await mkdir(join(folder, 'state/lists/partial'), { recursive: true });
      await mkdir(join(folder, 'cache/archives/partial'), { recursive: true });
      await writeFile(join(folder, 'status'), '');
      await writeFile(join(folder, 'sources.list'), sourcesList());
      await writeFile(join(folder, 'apt.conf'), aptConfig(folder, architecture));
      // A mirror in the middle of a synchronisation fails for some suites only: the download decides, not the update.
      await run('apt-get', ['-q', 'update'], { env: { ...process.env, APT_CONFIG: join(folder, 'apt.conf') } }).catch(
        (error: Error) => console.error(`corpus: ${error.message.split('\n')[0]}`),
      );
      return join(folder, 'apt.conf');
    });
    return { ...process.env, APT_CONFIG: config };
  }
}

/** Straight from the archive's pool. Not checked by apt, so only for images whose own digest is checked. */
async function fetchFile(url: string, into: string): Promise<void> {
  const answer = await fetch(url).catch((cause: Error) => {
    throw new UpdateError('link_failed', `${url}: ${cause.message}`, { cause });
  });
  if (!answer.ok) throw new UpdateError('http_status', `${url} was answered with ${answer.status}`);
  await writeFile(into, new Uint8Array(await answer.arrayBuffer()));
}

function sourcesList(): string {
  const line = ([archive, suite]: readonly [string, string]): string =>
    `deb [signed-by=${KEYRING}] http://deb.debian.org/${archive} ${suite} main non-free-firmware\n`;
  return SUITES.map(line).join('');
}

/** The machine's own apt.conf.d stays in force, so that its proxy does too; only sources and state are ours. */
function aptConfig(folder: string, architecture: string): string {
  return [
    `Dir::Etc::SourceList "${folder}/sources.list";`,
    'Dir::Etc::SourceParts "-";',
    `Dir::State "${folder}/state";`,
    `Dir::State::Status "${folder}/status";`,
    `Dir::Cache "${folder}/cache";`,
    `APT::Architecture "${architecture}";`,
    `APT::Architectures { "${architecture}"; };`,
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
    '',
  ].join('\n');
}
