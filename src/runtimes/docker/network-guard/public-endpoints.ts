import { lookup } from 'node:dns/promises';

/**
 * `address:port` of URLs that are meant for everyone, so for functions, too: that of the registry's public
 * URL may lie on this host, whose other ports stay closed to them. Loopback is the container's own there, and
 * a name that does not resolve is left out.
 */
export async function publicEndpoints(
  urls: readonly string[],
  resolve: (host: string) => Promise<readonly string[]> = addresses4,
): Promise<string[]> {
  const found = await Promise.all(
    urls.map(async (text) => {
      const url = new URL(text);
      const port = url.port || (url.protocol === 'https:' ? '443' : '80');
      const addresses = await resolve(url.hostname).catch(() => []);
      return addresses
        .filter((address) => !/^(?:127|0)\./.test(address))
        .map((address) => `${address}:${port}`);
    }),
  );
  return [...new Set(found.flat())];
}

async function addresses4(host: string): Promise<string[]> {
  return (await lookup(host, { all: true, family: 4 })).map(({ address }) => address);
}
