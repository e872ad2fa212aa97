/**
 * The keystore that the configuration names.
 * @module
 */
import type { AgentConfig } from '../config/config.ts';
import type { World } from '../context.ts';
import { AnchoredKeystore } from './anchored.ts';
import { FileKeystore } from './file.ts';
import type { KeystoreHardware } from './hardware.ts';
import { Pkcs11Token } from './pkcs11.ts';
import { Tpm2 } from './tpm2.ts';
import { rollbackCounter, type Keystore } from './keystore.ts';

type Parts = Pick<World, 'fs' | 'hash' | 'run'>;
type Named = Pick<AgentConfig, 'keystore' | 'dataFolder' | 'device'>;

/** Null for the file backend, which has none. */
export function makeHardware(
  { keystore, device }: Named,
  { fs, hash, run }: Parts,
  ownerAuth?: string,
): KeystoreHardware | null {
  switch (keystore.backend) {
    case 'file':
      return null;
    case 'pkcs11':
      return new Pkcs11Token({ fs, ...keystore });
    case 'tpm2': {
      const own = [rollbackCounter(device.product, device.slotClass)];
      return new Tpm2({ run, hash, ...keystore, counterNames: keystore.counters ?? own, ownerAuth });
    }
  }
}

/** In files beside the journal; the one without hardware keeps its name, so that it can be taken over. */
export const fileKeystore = ({ dataFolder }: Named, { fs, hash }: Parts): FileKeystore =>
  new FileKeystore({ fs, hash, path: `${dataFolder}/keystore` });

export function anchoredKeystore(config: Named, parts: Parts, hardware: KeystoreHardware): AnchoredKeystore {
  const { fs, hash } = parts;
  return new AnchoredKeystore({ fs, hash, path: `${config.dataFolder}/keystore.anchored`, hardware });
}

export function makeKeystore(config: Named, parts: Parts): Keystore {
  const hardware = makeHardware(config, parts);
  return hardware === null ? fileKeystore(config, parts) : anchoredKeystore(config, parts, hardware);
}
