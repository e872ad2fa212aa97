/**
 * What a device tells of itself: what it is, what it decodes, and which version runs in each slot class. Told when the server asks, and by
 * itself when something has changed, so that "what runs where" is true after every commit and rollback.
 * @module
 */
import { digestOf, toHex } from '../../../native-free/hash.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { noteLoss, placeOf, type Context } from '../context.ts';
import { ageRecipient } from '../keystore/age-key.ts';
import { decodes } from '../payloads/formats.ts';
import { isRefusal } from './answers.ts';
import { saveResting } from './ended.ts';

/** What is told where nobody knows, as after a lost journal. */
const UNKNOWN = 'unknown';

async function attributesOf(context: Context): Promise<Record<string, string>> {
  const { config, journal, slots, boot, decoder } = context;
  const { running } = await boot.read();
  const versionOf = (slotClass: string): string =>
    journal.body.slots[placeOf({ config }, running, slotClass)]?.version ?? UNKNOWN;
  const recipient = await recipientOf(context);
  const { attributes, product, hardware, slotClass } = config.device;
  return {
    ...attributes,
    'engraft.product': product,
    'engraft.hardware': hardware,
    'engraft.slotClass': slotClass,
    'engraft.version': versionOf(slotClass),
    'engraft.payloadVersion': String(Math.max(...decoder.map(({ version }) => version))),
    'engraft.decodes': decodes(context),
    ...(recipient === null ? {} : { 'engraft.ageRecipient': recipient }),
    ...Object.fromEntries([...slots.keys()].map((each) => [`engraft.version.${each}`, versionOf(each)])),
  };
}

/** The key for encrypted payloads. A device that cannot make one is told of all the same. */
async function recipientOf(context: Context): Promise<string | null> {
  try {
    return await ageRecipient(context.config, context);
  } catch (thrown) {
    noteLoss(context, 'there is no key for encrypted payloads', thrown);
    return null;
  }
}

/** Throws only `aborted`. What could not be sent is sent after the next poll. */
export async function sendAttributesIfDue(context: Context, wanted: boolean): Promise<void> {
  const { journal, hash, memory } = context;
  // Which slot runs is asked of tools of the boot loader: not at every poll.
  const held = JSON.stringify([journal.body.slots, journal.body.last?.finishedAtMs]);
  if (!wanted && memory.attributes === held) return;
  try {
    const attributes = await attributesOf(context);
    const digest = toHex(digestOf(hash, new TextEncoder().encode(JSON.stringify(attributes)))).slice(0, 32);
    if (wanted || journal.body.attributesSent !== digest) {
      await sendUnlessRefused(context, attributes);
      if (journal.body.attributesSent !== digest) {
        journal.body.attributesSent = digest;
        await saveResting(journal);
      }
    }
    memory.attributes = held;
  } catch (thrown) {
    noteLoss(context, 'the attributes were not sent', thrown);
  }
}

/** A server that has no place for them is not asked again until they change. */
async function sendUnlessRefused(context: Context, attributes: Record<string, string>): Promise<void> {
  try {
    await context.deployments.sendAttributes(attributes);
  } catch (thrown) {
    if (!isRefusal(UpdateError.from(thrown))) throw thrown;
    noteLoss(context, 'the server does not take attributes', thrown);
  }
}
