/**
 * A signer whose Ed25519 key never leaves its token, by a URI of RFC 7512:
 * `pkcs11:token=LABEL;object=LABEL?module-path=/path/of/module.so&pin-source=file:/path/of/pin`.
 *
 * A session lives for one call: a token that is pulled and put back is asked again, and a PIN is sent once for each
 * signature. A wrong PIN is not tried twice by one signer, which would lock the token.
 * @module
 */
import { readFile } from 'node:fs/promises';
import type { Handle, PKCS11 } from 'pkcs11js';
import type * as Names from 'pkcs11js';
import { UpdateError } from '../../../native-free/status.ts';
import { keyIdOf, type Signer } from '../keys.ts';

interface Place {
  readonly token: string;
  readonly object: string;
  readonly module: string;
  readonly pinFile: string;
}

const CKM_EDDSA = 0x1057;

/** Throws UpdateError usage_invalid (the URI), key_unreadable (all else; also what `sign` throws). */
export async function openPkcs11Signer(uri: string): Promise<Signer> {
  const place = parseUri(uri);
  const names = await addon();
  const pin = await readPin(place);
  let isPinWrong = false;
  const run = <T>(work: (api: PKCS11, session: Handle) => T): T => {
    if (isPinWrong) throw failure(place, `CKR_PIN_INCORRECT: the PIN in ${place.pinFile} is not tried again`);
    try {
      return withSession(names, place, pin, work);
    } catch (error) {
      isPinWrong = error instanceof Error && error.message.includes('CKR_PIN_INCORRECT');
      if (UpdateError.is(error)) throw error;
      throw failure(place, error instanceof Error ? error.message : String(error), error);
    }
  };
  const publicKey = run((api, session) => {
    const object = find(api, session, names, place, names.CKO_PUBLIC_KEY);
    const [point] = api.C_GetAttributeValue(session, object, [{ type: names.CKA_EC_POINT }]);
    const bytes = point?.value as Buffer | undefined;
    // An OCTET STRING of 32 bytes; some tokens leave its two bytes of DER out.
    if (bytes?.length === 34 && bytes[0] === 4 && bytes[1] === 32) return new Uint8Array(bytes.subarray(2));
    if (bytes?.length === 32) return new Uint8Array(bytes);
    throw failure(place, `object '${place.object}' is not an Ed25519 key`);
  });
  return {
    keyId: keyIdOf(publicKey),
    publicKey,
    sign: (bytes) =>
      run((api, session) => {
        const key = find(api, session, names, place, names.CKO_PRIVATE_KEY);
        api.C_SignInit(session, { mechanism: CKM_EDDSA }, key);
        return new Uint8Array(api.C_Sign(session, Buffer.from(bytes), Buffer.alloc(64)));
      }),
  };
}

function parseUri(uri: string): Place {
  const [path = '', query = ''] = uri.slice('pkcs11:'.length).split('?');
  const parts = new Map<string, string>();
  for (const part of [...path.split(';'), ...query.split('&')]) {
    const at = part.indexOf('=');
    if (at <= 0) continue;
    try {
      parts.set(part.slice(0, at), decodeURIComponent(part.slice(at + 1)));
    } catch (cause) {
      throw new UpdateError('usage_invalid', `in ${uri}, '${part}' is not percent-encoded as it should be`, { cause });
    }
  }
  const get = (name: string): string => {
    const value = parts.get(name);
    if (value !== undefined && value !== '') return value;
    const form = 'pkcs11:token=LABEL;object=LABEL?module-path=FILE&pin-source=file:FILE';
    throw new UpdateError('usage_invalid', `the URI ${uri} says no ${name}; it has the form ${form}`);
  };
  const pinFile = get('pin-source').replace(/^file:(\/\/)?/, '');
  return { token: get('token'), object: get('object'), module: get('module-path'), pinFile };
}

async function readPin(place: Place): Promise<string> {
  try {
    return (await readFile(place.pinFile, 'utf8')).trim();
  } catch (cause) {
    throw failure(place, `the file with its PIN, ${place.pinFile}, cannot be read`, cause);
  }
}

function withSession<T>(names: typeof Names, place: Place, pin: string, work: (api: PKCS11, session: Handle) => T): T {
  const api = new names.PKCS11();
  api.load(place.module);
  try {
    api.C_Initialize();
    const slot = api.C_GetSlotList(true).find((each) => api.C_GetTokenInfo(each).label.trim() === place.token);
    if (slot === undefined) throw failure(place, 'no token with this label is present');
    if ((api.C_GetTokenInfo(slot).flags & names.CKF_USER_PIN_FINAL_TRY) !== 0) {
      throw failure(place, "one try of its PIN is left: log in with the right PIN and the token's own tool first");
    }
    const session = api.C_OpenSession(slot, names.CKF_SERIAL_SESSION);
    api.C_Login(session, names.CKU_USER, pin);
    return work(api, session);
  } finally {
    try {
      api.C_Finalize();
      api.close();
    } catch {
      // It is gone already; what went wrong before says more.
    }
  }
}

function find(api: PKCS11, session: Handle, names: typeof Names, place: Place, kind: number): Handle {
  api.C_FindObjectsInit(session, [
    { type: names.CKA_CLASS, value: kind },
    { type: names.CKA_LABEL, value: place.object },
  ]);
  let found: Handle[];
  try {
    found = api.C_FindObjects(session, 2);
  } finally {
    api.C_FindObjectsFinal(session);
  }
  if (found.length === 1) return found[0]!;
  const what = kind === names.CKO_PUBLIC_KEY ? 'public key' : 'private key';
  throw failure(place, `${found.length === 0 ? 'no' : 'more than one'} ${what} '${place.object}' is on it`);
}

/** Native, and only needed here. */
async function addon(): Promise<typeof Names> {
  try {
    const loaded = await import('pkcs11js');
    return 'default' in loaded ? (loaded.default as typeof Names) : loaded;
  } catch (cause) {
    throw new UpdateError('key_unreadable', 'the npm package pkcs11js cannot be loaded, which pkcs11: keys need', {
      cause,
    });
  }
}

function failure({ token }: Place, what: string, cause?: unknown): UpdateError {
  return new UpdateError('key_unreadable', `the PKCS#11 token '${token}': ${what}`, { cause });
}
