import { Resolver } from 'node:dns/promises';

/** Asks DNS. Rejects with Node's errors (`ENOTFOUND`, `ENODATA`, `ETIMEOUT`, …). */
export interface TxtResolver {
  /** The texts of a name's TXT records, each in its chunks. */
  resolveTxt(name: string): Promise<string[][]>;
}

const timeoutMs = 2_000;
const tries = 2;

/** `servers`: addresses, with a port where it is not 53; none: the machine's. Nothing of DNS is cached. */
export function createTxtResolver(servers: readonly string[]): TxtResolver {
  return {
    resolveTxt(name) {
      const resolver = new Resolver({ timeout: timeoutMs, tries });
      if (servers.length > 0) resolver.setServers([...servers]);
      return resolver.resolveTxt(name);
    },
  };
}

/** Where a domain's owner says to whom it may lead, and in which words. */
export function challengeOf(host: string, token: string): { name: string; value: string } {
  return { name: `_gantry-challenge.${host}`, value: `gantry-domain=${token}` };
}

/** What is missing of a proof, for people; undefined: it is there. */
export async function missingProof(
  resolver: TxtResolver,
  host: string,
  token: string,
): Promise<string | undefined> {
  const { name, value } = challengeOf(host, token);
  let records: string[][];
  try {
    records = await resolver.resolveTxt(name);
  } catch (error) {
    const { code = '' } = error as { code?: string };
    return code === 'ENOTFOUND' || code === 'ENODATA'
      ? `There is no TXT record ${name} yet.`
      : `The TXT record ${name} could not be asked for (${code || 'no answer'}).`;
  }
  if (records.some((chunks) => chunks.join('').trim() === value)) return undefined;
  return `The TXT record ${name} says something else.`;
}

/** Whether the operator trusts everyone here with the name: it, or one that it is under, is listed; `*` is all. */
export function isTrusted(host: string, trusted: readonly string[]): boolean {
  return trusted.some((name) => name === '*' || host === name || host.endsWith(`.${name}`));
}
