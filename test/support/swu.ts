/**
 * Bundles of other clients, made as their build tools make them: a signed .swu, and the shape of a RAUC bundle.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../../src/platform/hash.ts';

/** One member of a cpio archive in the form `070702` (with a sum of its bytes), padded to four. */
function cpioMember(name: string, data: Uint8Array): Buffer {
  const trailer = name === 'TRAILER!!!';
  const sum = trailer ? 0 : data.reduce((total, byte) => (total + byte) >>> 0, 0);
  const fields = [0, 0o100644, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, sum];
  const head = `070702${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}${name}\0`;
  const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  return Buffer.concat([padded(Buffer.from(head, 'latin1')), padded(data)]);
}

export function cpioOf(members: ReadonlyMap<string, Uint8Array>): Buffer {
  const parts = [...members].map(([name, data]) => cpioMember(name, data));
  return Buffer.concat([...parts, cpioMember('TRAILER!!!', new Uint8Array(0))]);
}

/**
 * Makes `update.swu` in `folder`: an image for the raw handler and `device`, signed with a certificate of its own
 * (`certificate.pem`). Needs openssl.
 */
export function makeSwu(folder: string, image: Uint8Array, device: string): { swu: string; certificate: string } {
  const at = (name: string): string => join(folder, name);
  const sha256 = sha256Hex(image);
  const description = `software = {
  version = "2.0";
  hardware-compatibility = [ "1.0" ];
  images: ( { filename = "image.bin"; device = "${device}"; type = "raw"; sha256 = "${sha256}"; } );
}
`;
  writeFileSync(at('sw-description'), description);
  const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  openssl(
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key.pem', '-out', 'certificate.pem'],
    ...['-subj', '/CN=test', '-days', '2', '-addext', 'extendedKeyUsage=emailProtection'],
    ...['-addext', 'keyUsage=digitalSignature'],
  );
  openssl(
    ...['cms', '-sign', '-in', 'sw-description', '-out', 'sw-description.sig', '-signer', 'certificate.pem'],
    ...['-inkey', 'key.pem', '-outform', 'DER', '-nosmimecap', '-binary'],
  );
  const members = new Map<string, Uint8Array>([
    ['sw-description', readFileSync(at('sw-description'))],
    ['sw-description.sig', readFileSync(at('sw-description.sig'))],
    ['image.bin', image],
  ]);
  writeFileSync(at('update.swu'), cpioOf(members));
  return { swu: at('update.swu'), certificate: at('certificate.pem') };
}
