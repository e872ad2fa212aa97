/**
 * Certificates for tests of TLS, made by openssl: an authority, a server and a device.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });

/** Paths of PEM files in `folder`. */
export function makeCertificates(folder: string, deviceName = 'device-1') {
  const at = (name: string): string => join(folder, name);
  const key = (name: string): string => {
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', at(`${name}.key`));
    return at(`${name}.key`);
  };
  key('ca');
  openssl('req', '-x509', '-new', '-key', at('ca.key'), '-days', '2', '-subj', '/CN=authority', '-out', at('ca.pem'));
  const issue = (name: string, common: string, extensions: string): string => {
    writeFileSync(at(`${name}.ext`), extensions);
    openssl('req', '-new', '-key', key(name), '-subj', `/CN=${common}`, '-out', at(`${name}.csr`));
    openssl('x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at(`${name}.ext`), '-out', at(`${name}.pem`)); // prettier-ignore
    return at(`${name}.pem`);
  };
  const server = issue('server', 'server', 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const device = issue('device', deviceName, 'extendedKeyUsage=clientAuth\n');
  return { ca: at('ca.pem'), server, serverKey: at('server.key'), device, deviceKey: at('device.key'), issue, at };
}

export const pem = (path: string): string => readFileSync(path, 'utf8');
