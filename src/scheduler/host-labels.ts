import { createHash } from 'node:crypto';

/** RFC 1035, section 2.3.4. */
const longest = 63;

/**
 * DNS labels for what `parts` name, best first: the parts as they are, as far as a label takes them, then with
 * more and more of a hash of `seed`, which tells apart what reads the same (`a-b` of `c`, and `a` of `b-c`).
 * Where the parts do not fit, each has a hash. Labels say nothing: they are looked up, never parsed.
 */
export function hostLabels(parts: readonly string[], seed: string): readonly string[] {
  const plain = parts
    .map(labelPart)
    .filter((part) => part !== '')
    .join('-');
  const hash = hashOf(seed);
  const hashed = [6, 12, 20].map((length) => withHash(plain, hash.slice(0, length)));
  return plain.length > 0 && plain.length <= longest ? [plain, ...hashed] : hashed;
}

/** Labels that nobody can guess from others: of one deployment. */
export function deploymentLabels(parts: readonly string[], id: string): readonly string[] {
  const plain = parts
    .map(labelPart)
    .filter((part) => part !== '')
    .join('-');
  const hash = hashOf(id);
  return [9, 20].map((length) => withHash(plain, hash.slice(0, length)));
}

/**
 * The URL of a label under the functions domain (`address`: that domain, with its port), or of a custom domain,
 * which a dot tells from a label. `server`: where Gantry itself is reached.
 */
export function functionUrl(host: string, place: { server: string; address: string }): string {
  const { protocol } = new URL(place.server);
  const custom = host.includes('.');
  return `${protocol}//${custom ? withPort(host, place.server) : `${host}.${place.address}`}`;
}

/** With the port of `server`, where that is not the scheme's own. */
export function withPort(name: string, server: string): string {
  const { port } = new URL(server);
  return port === '' ? name : `${name}:${port}`;
}

/** Letters, digits and single dashes: no label begins as those of RFC 5890 (`xn--`) do. */
function labelPart(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

function withHash(plain: string, hash: string): string {
  const rest = plain.slice(0, longest - hash.length - 1).replace(/-$/, '');
  // A label that begins with a letter is a host name everywhere.
  return rest === '' ? `f-${hash}` : `${rest}-${hash}`;
}

/** 20 and more letters and digits. */
function hashOf(seed: string): string {
  const bytes = createHash('sha256').update(seed).digest('hex').slice(0, 32);
  return BigInt(`0x${bytes}`).toString(36).padStart(25, '0');
}
