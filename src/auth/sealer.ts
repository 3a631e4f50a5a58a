import { type InstallationKey, seal, unseal } from './key-ring.ts';

/** Encrypts what is kept for later (secrets, webhooks' keys) under a key of the installation. */
export class Sealer {
  readonly #keys: Iterable<InstallationKey>;

  /** The first key seals, all unseal. */
  constructor(keys: Iterable<InstallationKey>) {
    this.#keys = keys;
  }

  /** `context` is where it belongs (`secret:<id>`): sealed text that is moved elsewhere does not open. */
  seal(plain: string, context: string): string {
    const [key] = this.#keys;
    if (!key) throw new Error('no sealing key');
    return `${key.id}.${seal(key.bytes, Buffer.from(plain), context)}`;
  }

  /** Throws `invalid` where the key is gone, or the text was changed or belongs elsewhere. */
  unseal(sealed: string, context: string): string {
    const [id, text = ''] = sealed.split('.', 2);
    const key = [...this.#keys].find((one) => one.id === id);
    return unseal(key?.bytes ?? Buffer.alloc(32), text, context).toString();
  }
}
