import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Config } from './config.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/**
 * Where other replicas reach this one: what was set, else the address that it listens on. Undefined where that is none
 * for others: loopback (another machine has its own), every address of a machine that has several, or TLS, whose
 * certificate names no address.
 */
export function peerAddress(
  config: Pick<Config, 'host' | 'tls' | 'functions'>,
  port: number,
  addresses: readonly string[] = ownAddresses(),
): string | undefined {
  const { host, tls, functions } = config;
  if (functions.peerUrl) return functions.peerUrl;
  if (tls) return undefined;
  const every = host === '0.0.0.0' || host === '::';
  const found = every ? (addresses.length === 1 ? addresses[0] : undefined) : host;
  const family = isIP(found ?? '');
  // A name is not looked up: what it means on another machine is not known here.
  if (!found || family === 0) return undefined;
  if (loopback.check(found, family === 6 ? 'ipv6' : 'ipv4')) return undefined;
  return `http://${family === 6 ? `[${found}]` : found}:${port}`;
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);
}
