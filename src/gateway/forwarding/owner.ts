import type { RequestOptions } from 'node:http';

/** Where another process of this installation listens. */
export type PeerAddress =
  | { readonly origin: string }
  /** A process on this machine, behind a socket in the file system. */
  | { readonly socketPath: string };

/** Who answers requests of functions now, as far as this process knows. */
export type Owner =
  /** This process. */
  | { readonly here: true }
  | { readonly address: PeerAddress }
  /**
   * Nobody yet, and why; `sinceMs`: for how long. `final`: waiting does not help.
   */
  | { readonly none: string; readonly sinceMs: number; readonly final?: boolean };

/** Asked for each request and each wait. */
export interface Owners {
  now(): Owner;
  /** Looks whether the owner has changed: called before each wait. Never rejects. */
  look(): Promise<void>;
}

/** As one text, to know an address again. */
export function nameOf(address: PeerAddress): string {
  return 'origin' in address ? address.origin : address.socketPath;
}

/** What Node's client needs to reach it. */
export function connectionTo(address: PeerAddress): RequestOptions {
  if ('socketPath' in address) return { socketPath: address.socketPath };
  const { protocol, hostname, port } = new URL(address.origin);
  const host = hostname.replace(/^\[|\]$/g, '');
  return {
    ...{ protocol, host, port: port || (protocol === 'https:' ? 443 : 80) },
    // Its certificate is for its own name, not for the one that the client asked for.
    ...(protocol === 'https:' && { servername: host }),
  };
}

export function isEncrypted(address: PeerAddress): boolean {
  return 'origin' in address && address.origin.startsWith('https:');
}
