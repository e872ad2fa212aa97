/**
 * A repository whose signed metadata say something else of the payloads than publishing would: of another publisher, of
 * one to come, or wrong.
 */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TargetFile } from '@tufjs/models';
import type { TargetCustom } from '../../../src/release/custom.ts';
import { releasing, temporaryFolder, type Publisher } from '../release.ts';
import { sha256Hex } from '../images.ts';

export interface Listed {
  readonly path: string;
  readonly custom: Readonly<Record<string, unknown>> & TargetCustom;
  readonly payload: Uint8Array;
}

export interface Relisted {
  readonly path?: string;
  readonly custom?: Readonly<Record<string, unknown>>;
  /** The header's digest is made to fit. */
  readonly payload?: Uint8Array;
}

/** `change` says what is signed of each payload in place of what was: null leaves it out, several list it as several. */
export async function relisted(from: Publisher, change: (listed: Listed) => readonly Relisted[]): Promise<Publisher> {
  const { targets, catalog } = await from.repository.state();
  const dir = join(temporaryFolder(), 'repo');
  mkdirSync(dir);
  cpSync(join(from.dir, 'blobs'), join(dir, 'blobs'), { recursive: true });
  const made = { ...from, dir, ...releasing(dir, from.signers) };
  const changed: TargetFile[] = [];
  for (const [path, target] of Object.entries(targets)) {
    const payload = new Uint8Array(await readFile(from.repository.blobs.path(target.hashes['sha256']!)));
    const custom = target.custom as Listed['custom'];
    for (const said of change({ path, custom, payload })) {
      const bytes = said.payload ?? payload;
      const sha256 = sha256Hex(bytes);
      writeFileSync(join(dir, 'blobs', 'sha256', sha256), bytes);
      const headerDigest = sha256Hex(bytes.subarray(0, custom.headerBytes));
      const signed = { ...(said.custom ?? custom), headerDigest };
      changed.push(
        new TargetFile({
          ...{ path: said.path ?? path, length: bytes.length, hashes: { sha256 } },
          unrecognizedFields: { custom: signed },
        }),
      );
    }
  }
  await made.repository.exclusively(made.signers, ({ commit }) => commit({ targets: changed, catalog }));
  return made;
}
