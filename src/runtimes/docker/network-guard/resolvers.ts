import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';

/**
 * The host's name servers that containers ask. An engine gives a container the host's list; those on loopback
 * it asks itself, from the host, so no rule is needed for them. A host whose only one is systemd's stub has
 * the true list elsewhere, which engines read, too.
 */
export async function hostResolvers(
  read: (path: string) => Promise<string> = (path) => readFile(path, 'utf8'),
): Promise<string[]> {
  const of = (path: string) => read(path).then(nameServers, () => []);
  const servers = await of('/etc/resolv.conf');
  const stub = servers.length > 0 && servers.every((address) => address === '127.0.0.53');
  const chosen = stub ? await of('/run/systemd/resolve/resolv.conf') : servers;
  return [...new Set(chosen.filter((address) => isIPv4(address) && !address.startsWith('127.')))];
}

function nameServers(text: string): string[] {
  return [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map((match) => match[1]!);
}
