/**
 * A repository with encrypted releases, and a server's side that makes headers for a simulated device.
 */
import { join } from 'node:path';
import { headerFor, loadMasterKey, makeMasterKey, type FileKeyWrapper } from '../../../src/release/index.ts';
import { temporaryFolder } from '../release.ts';
import { assignedDevice, imagePair, makeLab, type DeviceOptions, type Lab, type SimulatedDevice } from './agent.ts';

async function freshMasterKey(): Promise<FileKeyWrapper & { readonly path: string }> {
  const path = join(temporaryFolder(), 'master.key');
  await makeMasterKey(path);
  return { ...(await loadMasterKey(path)), path };
}

export interface EncryptedLab extends Lab {
  /** The header of a body, for a recipient. */
  headerFor(recipient: string, bodySha256: string): Promise<Uint8Array>;
}

export async function encryptedLab(pair = imagePair(), delta = true): Promise<EncryptedLab> {
  const keys = await freshMasterKey();
  const lab = await makeLab(pair, delta, undefined, keys);
  const { catalog } = await lab.publisher.repository.state();
  const payloads = catalog.releases.flatMap((release) => release.payloads);
  return {
    ...lab,
    headerFor(recipient, sha256) {
      const { encryption } = payloads.find((payload) => payload.sha256 === sha256)!;
      return headerFor(recipient, { sha256, wrapped: encryption!.fileKey }, [keys]);
    },
  };
}

/** Told to install 2.0; the server makes headers for the key that the device has told it. */
export async function encryptedDevice(lab: EncryptedLab, options: DeviceOptions = {}): Promise<SimulatedDevice> {
  const it = await assignedDevice(lab, options);
  it.deployments.ageHeader = async (sha256) => {
    it.power.use('header');
    return lab.headerFor(it.deployments.attributes.at(-1)!['engraft.ageRecipient']!, sha256);
  };
  return it;
}
