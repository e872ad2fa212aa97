/**
 * `--deploy-to` of `publish`: checked before anything is published, and done after it.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import type { ReleaseKey } from '../release/index.ts';

export interface DeployToOptions {
  readonly repo: string;
  readonly deployTo?: string;
  readonly register?: boolean;
  readonly store?: string;
  readonly tenant: string;
}

/**
 * What is to be called with the release once it is out; it resolves with the deployment's id, null when none was asked
 * for.
 * @throws UpdateError usage_invalid, entity_unknown for devices that nobody knows, not_compatible, store_failed
 */
export async function planDeployment(
  options: DeployToOptions,
  line: Pick<ReleaseKey, 'product' | 'hardware'>,
): Promise<(release: ReleaseKey) => Promise<number | null>> {
  if (options.deployTo === undefined) return async () => null;
  const { checkDevices, controllerPattern, createDeployment, tenantPattern } = await import('../server/index.ts');
  const devices = options.deployTo === 'all' ? 'all' : options.deployTo.split(',').map((id) => id.trim());
  const wrong = devices === 'all' ? undefined : devices.find((id) => !controllerPattern.test(id));
  if (wrong !== undefined) throw new UpdateError('usage_invalid', `--deploy-to: '${wrong}' is not a device id`);
  if (!tenantPattern.test(options.tenant)) throw new UpdateError('usage_invalid', '--tenant is not a valid name');
  const { repo, store, register = false } = options;
  const where = { repo, store, tenant: options.tenant, register };
  try {
    if (devices !== 'all') await checkDevices({ ...where, line, devices });
  } catch (error) {
    if (!UpdateError.is(error) || error.code !== 'entity_unknown') throw error;
    const text = `--deploy-to: ${error.message}; nothing was published (--register makes it known)`;
    throw new UpdateError(error.code, text, { cause: error });
  }
  return async (release) => {
    try {
      return await createDeployment({ ...where, release, devices });
    } catch (error) {
      const known = UpdateError.from(error);
      const text = `${release.product} ${release.version} is published, but it is not deployed: ${known.message}`;
      throw new UpdateError(known.code, text, { cause: error });
    }
  };
}
