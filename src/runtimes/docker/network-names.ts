import { createHash } from 'node:crypto';
import type { EgressRule } from '../../ports/runtime-driver.ts';

/**
 * A bridge is named `gt<installation: 4><p|o><project: 8>`, 15 characters, the most that Linux takes; the
 * network has its bridge's name. So rules for `gt<installation>p*` hold for every project's network from
 * the moment it is made, and those of two installations on one machine never meet.
 */

const letters = 'abcdefghijklmnopqrstuvwxyz234567';

/** `gtxxxx`: what all interfaces of an installation begin with. */
export function interfacePrefix(installation: string): string {
  return `gt${letteredHash(`installation ${installation}`, 4)}`;
}

export function egressPrefix(installation: string, egress: EgressRule): string {
  return `${interfacePrefix(installation)}${egress === 'open' ? 'o' : 'p'}`;
}

/** `number`: 0 for the first network of the project, 1 for the one beside it once that is full … */
export function bridgeName(
  installation: string,
  projectId: string,
  egress: EgressRule,
  number: number,
): string {
  return egressPrefix(installation, egress) + letteredHash(`${projectId} ${number}`, 8);
}

/** Where in the pool the search for a free subnet begins: two that search at once seldom meet. */
export function searchStart(name: string, count: number): number {
  return createHash('sha256').update(name).digest().readUInt32BE() % count;
}

function letteredHash(text: string, length: number): string {
  const bytes = createHash('sha256').update(text).digest();
  return Array.from(bytes.subarray(0, length), (byte) => letters[byte % 32]).join('');
}
