import { createHmac, randomBytes } from 'node:crypto';

/** Where secrets are sealed: auth's, under a key of the installation. */
export interface Seal {
  seal(plain: string, context: string): string;
  unseal(sealed: string, context: string): string;
}

/** What a webhook's messages are signed with: `whsec_` and base64, as Standard Webhooks writes secrets. */
export interface SigningKeys {
  readonly secret: string;
  /** The one before, which signs as well until that time, so that receivers can change over. */
  readonly previous?: { readonly secret: string; readonly until: number } | undefined;
}

const prefix = 'whsec_';
const leastBytes = 24;
const mostBytes = 64;

export function newWebhookSecret(): string {
  return prefix + randomBytes(32).toString('base64');
}

/** Standard Webhooks: 24 to 64 bytes. */
export function isWebhookSecret(text: string): boolean {
  const encoded = text.slice(prefix.length);
  if (!text.startsWith(prefix) || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return false;
  const bytes = Buffer.from(encoded, 'base64');
  return (
    bytes.toString('base64') === encoded && bytes.length >= leastBytes && bytes.length <= mostBytes
  );
}

export function sealKeys(seal: Seal, webhookId: string, keys: SigningKeys): string {
  return seal.seal(JSON.stringify(keys), contextOf(webhookId));
}

export function unsealKeys(seal: Seal, webhookId: string, sealed: string): SigningKeys {
  return JSON.parse(seal.unseal(sealed, contextOf(webhookId))) as SigningKeys;
}

const contextOf = (webhookId: string): string => `webhook:${webhookId}`;

/**
 * The headers of a message (Standard Webhooks): `webhook-id` is the same each time that the event is sent,
 * so that receivers can tell a repetition.
 */
export function signedHeaders(
  keys: SigningKeys,
  message: { id: string; body: string; now: number },
): Record<string, string> {
  const timestamp = String(Math.floor(message.now / 1000));
  const secrets = [keys.secret];
  if (keys.previous && keys.previous.until > message.now) secrets.push(keys.previous.secret);
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(prefix.length), 'base64');
    const signed = `${message.id}.${timestamp}.${message.body}`;
    return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
  });
  return {
    'webhook-id': message.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}
